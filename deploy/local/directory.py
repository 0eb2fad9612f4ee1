"""The data directory: a stamp that says who may use it, the ports chosen for it, and one lock.

stamp.json      layout and versions of what is inside; another version is refused
choices.json    ports, the database password, the scenario; chosen once
state.json      what runs now (state.py)
lock            held while `hcp up` runs
kafka/ postgres/ logs/
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from deploy.errors import DataDirectoryError
from deploy.local import ports
from deploy.local.artifacts import pinned
from deploy.local.disk import require_free
from deploy.local.postgres import MAJOR as POSTGRES_MAJOR

LAYOUT = 3
ELSEWHERE = "another data directory (--data-dir or HCP_DATA_DIR)"
OURS = ("choices.json", "state.json", "kafka", "postgres")
BEFORE_STAMP = ("logs", "lock")  # what a first start may leave if it ends very early
NEEDED_MB = 1000  # log segments, write-ahead log, our logs, and air
PORT_NAMES = (
    *("kafka", "kafka_controller", "postgres", "registry"),
    *("metrics_routing", "metrics_optimization", "metrics_metering", "metrics_invoicing"),
    *("metrics_brokering", "metrics_projections", "metrics_simulators"),
)


class Stamp(msgspec.Struct, frozen=True):
    layout: int
    kafka: str
    registry: str
    postgres: str


class Choices(msgspec.Struct):
    password: str
    ports: dict[str, int]
    scenario: str | None = None  # the one world that the log here is of


class DataDirectory:
    def __init__(self, path: Path) -> None:
        self.path = absolute(path)
        self._lock = FileLock(self.path / "lock", timeout=0)

    @property
    def state_file(self) -> Path:
        return self.path / "state.json"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def claim(self) -> None:
        """Make it ours for this run, or raise DataDirectoryError or NoSpaceError."""
        self.require_usable()
        try:
            self._lock.acquire()
        except Timeout as error:
            raise DataDirectoryError(
                f"HCP is already running on {self.path}: see `hcp status`, or stop it with "
                "`hcp down`."
            ) from error
        except OSError as error:
            raise self._not_writable(error) from error
        stamp = self.path / "stamp.json"
        try:
            if not stamp.exists():
                content = msgspec.json.format(msgspec.json.encode(current_stamp()), indent=2)
                stamp.write_bytes(content)
        except OSError as error:
            raise self._not_writable(error) from error

    def require_usable(self) -> None:
        """Of this version, with room, and writable; else DataDirectoryError or NoSpaceError."""
        try:
            require_free(self.path, NEEDED_MB, "for data")
            check_stamp(self.path)
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from error

    def _not_writable(self, error: OSError) -> DataDirectoryError:
        return DataDirectoryError(
            f"{self.path} cannot be written ({error.strerror}): choose {ELSEWHERE}."
        )

    def is_claimed(self) -> bool:
        """Does somebody hold the lock at this moment?"""
        if not (self.path / "lock").exists():
            return False
        try:
            with self._lock:
                return False
        except Timeout:
            return True
        except OSError:
            return False

    def release(self) -> None:
        self._lock.release()

    def choices(self, spoken_for: frozenset[int] = frozenset()) -> Choices:
        """The remembered choices; ports that somebody else holds or wants are chosen again.

        spoken_for: ports that the user gave to services that listen later.
        """
        choices = self._remembered() or Choices(password=secrets.token_urlsafe(18), ports={})
        kept = {
            name: port
            for name, port in choices.ports.items()
            if name in PORT_NAMES and port not in spoken_for and ports.is_free(port)
        }
        missing = [name for name in PORT_NAMES if name not in kept]
        chosen = ports.choose_free(len(missing), avoid=spoken_for.union(kept.values()))
        choices.ports = {**kept, **dict(zip(missing, chosen, strict=True))}
        self.remember(choices)
        return choices

    def remember(self, choices: Choices) -> None:
        staging = self._choices_file.with_suffix(".new")
        try:
            descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(choices), indent=2))
                stream.flush()
                os.fsync(stream.fileno())  # without it a power cut may lose the password
            os.replace(staging, self._choices_file)
        except OSError as error:
            raise self._not_writable(error) from error

    @property
    def _choices_file(self) -> Path:
        return self.path / "choices.json"

    def _remembered(self) -> Choices | None:
        file = self._choices_file
        try:
            return msgspec.json.decode(file.read_bytes(), type=Choices)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError) as error:
            raise DataDirectoryError(
                f"{file} cannot be read, and holds the password of the database here: restore the "
                f"file, or start with {ELSEWHERE}."
            ) from error


def absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except (RuntimeError, OSError) as error:  # no such user; or the current directory is gone
        raise DataDirectoryError(f"{path} leads nowhere ({error}): choose {ELSEWHERE}.") from error


def settle_scenario(choices: Choices, asked: str | None, default: str, path: Path) -> str:
    """The scenario to play: two worlds in one log would each be wrong in the other's time."""
    played = choices.scenario
    if asked and played and asked != played:
        raise DataDirectoryError(
            f"The data directory {path} has played {played}: to play {asked}, give {ELSEWHERE}."
        )
    return asked or played or default


def current_stamp() -> Stamp:
    versions = {name: artifact.version for name, artifact in pinned().items()}
    return Stamp(LAYOUT, versions["kafka"], versions["registry"], POSTGRES_MAJOR)


def check_stamp(path: Path) -> None:
    """Refuse what another version wrote, or what is not a data directory at all."""
    stamp_file = path / "stamp.json"
    if path.exists() and not path.is_dir():
        raise DataDirectoryError(f"{path} is not a directory: choose {ELSEWHERE}.")
    if not stamp_file.exists():
        present = {entry.name for entry in path.iterdir()} if path.exists() else set()
        if present.intersection(OURS):
            raise DataDirectoryError(
                f"{stamp_file} is missing, so what wrote this data of HCP is unknown: restore the "
                f"file, or start with {ELSEWHERE}."
            )
        if present.difference(BEFORE_STAMP):
            raise DataDirectoryError(
                f"{path} is not empty and no data directory of HCP: choose {ELSEWHERE}."
            )
        return
    try:
        found = msgspec.json.decode(stamp_file.read_bytes(), type=Stamp)
    except (msgspec.DecodeError, OSError) as error:
        raise DataDirectoryError(
            f"{stamp_file} cannot be read, so what wrote this data is unknown: restore the file, "
            f"or start with {ELSEWHERE}."
        ) from error
    expected = current_stamp()
    if found != expected:
        raise DataDirectoryError(
            f"{path} was written by {describe(found)}, and this is {describe(expected)}: keep it "
            f"for the version that wrote it, and start with {ELSEWHERE}, or move it away."
        )


def describe(stamp: Stamp) -> str:
    return (
        f"layout {stamp.layout} with Kafka {stamp.kafka}, PostgreSQL {stamp.postgres} and "
        f"registry {stamp.registry}"
    )
