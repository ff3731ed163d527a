"""PgBouncer in transaction mode, before a PostgreSQL."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from . import account
from .ports import LOOPBACK
from .postgres import PostgresServer
from .process import program
from .server import Server


class PgBouncer(Server):
    """A PgBouncer before a PostgreSQL; ``settings`` as in the section ``[pgbouncer]``."""

    name = "pgbouncer"
    account = staticmethod(account.other_than_root)

    def __init__(self, folder: Path, postgres: PostgresServer, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings=settings)
        self._postgres = postgres

    def url_of(self, database: str, user: str = "pagerd") -> str:
        """Return the URL of a database of that PostgreSQL, by way of the bouncer."""
        return f"postgresql://{user}:{self._postgres.password}@{LOOPBACK}:{self.port}/{database}"

    def prepare(self) -> None:
        """Make nothing: its files are written at each start."""

    def command(self) -> list[str]:
        """Return how it is started, with its settings written down."""
        users = self.place / "users.txt"
        password = self._postgres.password
        self._write(users, "".join(f'"{user}" "{password}"\n' for user in ("pagerd", "postgres")))
        settings = {
            "listen_addr": LOOPBACK,
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(users),
            "pool_mode": "transaction",
            "max_client_conn": "500",
            **self.settings,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        databases = f"* = host={LOOPBACK} port={self._postgres.port}"
        self._write(self.place / "pgbouncer.ini", "\n".join(["[databases]", databases, "[pgbouncer]", *lines, ""]))
        return [program("pgbouncer", "pgbouncer"), str(self.place / "pgbouncer.ini")]

    def answers(self) -> bool:
        """Return whether it says that it speaks TLS, or that it does not."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))
                return connection.recv(1) in {b"S", b"N"}
        except OSError:
            return False

    @staticmethod
    def _write(file: Path, text: str) -> None:
        file.touch(mode=0o600)
        file.write_text(text, "utf-8")
        if (user := account.other_than_root()) is not None:
            shutil.chown(file, user)
