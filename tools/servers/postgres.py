"""PostgreSQL, with an administrator and, as in earnest, an owner of databases who is no superuser."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from . import account
from .certificate import Certificate
from .ports import LOOPBACK
from .process import program
from .server import Server

_DEBIAN = Path("/usr/lib/postgresql")
KEYS = "pagerd_keys"
_OWNER = "pagerd"
_ADMINISTRATOR = "postgres"


class PostgresServer(Server):
    """A PostgreSQL. ``settings`` as in postgresql.conf; with ``tls`` it takes nobody without encryption."""

    name = "postgres"
    farewell = signal.SIGINT  # "fast": it does not wait for its clients to leave
    account = staticmethod(account.other_than_root)

    def __init__(
        self, folder: Path, *, settings: Mapping[str, str] | None = None, tls: Certificate | None = None
    ) -> None:
        super().__init__(folder, settings=settings)
        self._tls = tls

    @property
    def url(self) -> str:
        """The database of ``make services``, as its owner."""
        return self.url_of(_OWNER)

    @property
    def admin_url(self) -> str:
        """The same server, as its superuser: for ``CREATE DATABASE`` and the like."""
        return self.url_of("postgres", _ADMINISTRATOR)

    def url_of(self, database: str, user: str = _OWNER) -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make a cluster, the owner and his database."""
        data = self.place / "data"
        with account.hidden(self.password, account.other_than_root(), self.place) as secret:
            self._run("initdb", f"--pgdata={data}", f"--username={_ADMINISTRATOR}", f"--pwfile={secret}",
                      "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")  # fmt: skip
        statements = [
            f"CREATE ROLE {_OWNER} LOGIN CREATEDB PASSWORD '{self.password}'",
            f"CREATE DATABASE {_OWNER} OWNER {_OWNER}",
            f"CREATE DATABASE {KEYS} OWNER {_OWNER}",
        ]
        self._run("postgres", "--single", "-D", str(data), "postgres", text="\n".join(statements) + "\n")

    def command(self) -> list[str]:
        """Return how it is started, with its settings written down."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            **self._encryption(),
            **self.settings,
        }
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        return [self._program("postgres"), "-D", str(self.place / "data"), *flags]

    def ended_of_what_passes(self) -> bool:
        """Return whether the predecessor is not buried yet, or children of its use the memory that they shared."""
        last = self.log()[-1000:]
        return 'lock file "postmaster.pid" already exists' in last or "pre-existing shared memory block" in last

    def answers(self) -> bool:
        """Return whether it takes connections."""
        asked = [self._program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port), "-t", "1"]
        return subprocess.run(asked, check=False).returncode == 0

    def _encryption(self) -> dict[str, str]:
        if self._tls is None:
            return {}
        for source, name in ((self._tls.chain, "chain.pem"), (self._tls.key, "key.pem")):
            copy = self.place / name
            shutil.copy(source, copy)
            copy.chmod(0o600)
            if (user := account.other_than_root()) is not None:
                shutil.chown(copy, user)
        (self.place / "data" / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n", "ascii")
        return {
            "ssl": "on",
            "ssl_cert_file": str(self.place / "chain.pem"),
            "ssl_key_file": str(self.place / "key.pem"),
        }

    def _run(self, name: str, *words: str, text: str | None = None) -> None:
        subprocess.run(
            [self._program(name), *words],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            cwd=self.place,
            text=True,
            capture_output=True,
            check=True,
            **account.as_account(account.other_than_root()),
        )

    @staticmethod
    def _program(name: str) -> str:
        versions = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
        named = [Path(os.environ["PG_BIN"])] if "PG_BIN" in os.environ else []
        return program(name, "postgresql", *named, *versions)
