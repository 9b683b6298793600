"""Settings of a node: `node.toml` in its directory, the environment (`HANSE_PARTY_PORT`), the command line.

Later ones win. A port of 0 means any free one; the node writes the real ones to `node.json`.
"""

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from hanse.core.faults import fault

SECRETS = frozenset({"HANSE_DATABASE", "HANSE_TOKEN"})
"""Variables of the node's environment that hold secrets and that none of its processes needs."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")]


class NodeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node needs to know before it starts.

    `party_host` is where the party port listens, `advertise` what partners dial (`bank.example:9443`, or a host alone;
    empty: the listening address). REST on other than the loopback address is TLS: with the PEM files `rest_certificate`
    and `rest_key`, or with a certificate of the organisation's root; `rest_names` are its names beside `rest_host`.
    `rest_proxies` are the addresses of proxies whose word is taken for the address of who calls.
    A session ends after `session_idle_s` without a request and `session_most_s` after its login.
    `threads` and `memory_bytes` are for all attempts together, `attempts` run at once.
    Of the jobs that this node leads `*_at_once` run and `*_a_day` begin at most; 0 is no limit.
    Jobs that ended more than `job_retention_days` ago are removed from this node; 0 keeps them.
    `data_paths` are the folders of this machine from which people with a session may register files.
    `outbound_allow` names the networks and hosts of the house that sources, webhooks and sign-in may dial.
    `profile_datasets`: each new version of a dataset is measured. `privacy_budget` is the epsilon that all figures of a
    dataset which partners are told may take together, unless another was said for the dataset.
    `region`, `contact` and `pool` (of machines) are what the node tells its members.
    """

    directory: Path
    organisation: Title
    node: Title = "node-1"
    rest_host: str = "127.0.0.1"
    rest_port: Port = 8480
    rest_names: tuple[str, ...] = ()
    rest_proxies: tuple[str, ...] = ()
    session_idle_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 2 * 3600
    session_most_s: Annotated[int, msgspec.Meta(ge=60, le=7 * 86_400)] = 12 * 3600
    rest_certificate: str = ""
    rest_key: str = ""
    party_host: str = "0.0.0.0"  # noqa: S104 (the party port is what partners reach; it admits pinned certificates only)
    party_port: Port = 9443
    advertise: str = ""
    database: str = ""
    threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] = os.cpu_count() or 1
    memory_bytes: Annotated[int, msgspec.Meta(ge=1 << 28)] = 2 << 30
    attempts: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    jobs_at_once: Count = 8
    project_jobs_at_once: Count = 0
    user_jobs_at_once: Count = 0
    project_jobs_a_day: Count = 0
    user_jobs_a_day: Count = 0
    job_time_limit_s: Count = 7 * 86_400
    task_time_limit_s: Count = 2 * 86_400
    job_retention_days: Annotated[int, msgspec.Meta(ge=0, le=36_500)] = 0
    outbound_allow: tuple[str, ...] = ()
    region: Annotated[str, msgspec.Meta(max_length=64)] = ""
    contact: Annotated[str, msgspec.Meta(max_length=200)] = ""
    pool: Annotated[str, msgspec.Meta(max_length=64)] = ""
    data_paths: tuple[str, ...] = ()
    profile_datasets: bool = True
    privacy_budget: Annotated[float, msgspec.Meta(ge=0, le=100)] = 2.0

    @property
    def encrypts_rest(self) -> bool:
        """Whether REST is TLS: always where another machine could listen in."""
        return bool(self.rest_certificate) or not is_loopback(self.rest_host)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.directory / 'hanse.db'}"


def load_settings(
    directory: Path, given: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> NodeSettings:
    """Return the settings of the node in `directory`; `given` are the command line's, None meaning not given.

    Raises `settings.invalid` with the place and the rule.
    """
    directory = directory.absolute()
    words = os.environ if environment is None else environment
    fields = {field.name for field in msgspec.structs.fields(NodeSettings)} - {"directory"}
    spoken: dict[str, Any] = {name: words[key] for name in fields if (key := f"HANSE_{name.upper()}") in words}
    if "data_paths" in spoken:
        spoken["data_paths"] = [path for path in spoken["data_paths"].split(os.pathsep) if path]
    if "outbound_allow" in spoken:
        spoken["outbound_allow"] = spoken["outbound_allow"].replace(",", " ").split()
    chosen = {name: value for name, value in (given or {}).items() if value is not None}
    values = {**_read(directory / "node.toml"), **spoken, **chosen, "directory": directory}
    if "organisation" not in values:
        raise fault("settings.invalid", "the organisation has no name", "start the node with --organisation NAME")
    try:
        settings = msgspec.convert(values, NodeSettings, strict=False, builtin_types=(Path,))
    except msgspec.ValidationError as error:
        raise fault("settings.invalid", f"{error} (node.toml, HANSE_* or the command line)") from error
    if bool(settings.rest_certificate) != bool(settings.rest_key):
        raise fault("settings.invalid", "rest_certificate and rest_key are said together or not at all")
    return settings


KEPT = ("organisation", "node", "rest_host", "rest_port", "rest_names", "party_host", "party_port", "advertise")
"""What a second start of the same node must know: who it is, and where its partners and its people find it."""


def save_settings(settings: NodeSettings) -> None:
    """Write what `KEPT` names as the first start had it; a `node.toml` that is there stays as it is."""
    lines = (f"{key} = {msgspec.json.encode(getattr(settings, key)).decode()}" for key in KEPT)
    path = settings.directory / "node.toml"
    if not path.exists():
        path.write_text("\n".join(lines) + "\n", "utf-8")


def environment_of_child(folder: Path) -> dict[str, str]:
    """Return the environment of a process of this node: without secrets, and with its temporary files in its folder.

    What it spills there goes when its folder goes, also after a kill, and never lies among other users' files.
    """
    return {name: value for name, value in os.environ.items() if name not in SECRETS} | {"TMPDIR": str(folder)}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise fault("node.directory", f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise fault("settings.invalid", f"{path.name}: {error}") from error


def is_loopback(host: str) -> bool:
    """Say whether an address can be reached from this machine only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
