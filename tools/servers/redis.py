"""Redis, for caches, shared pace and hints."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

from .ports import LOOPBACK
from .process import program
from .server import Server

_SETTINGS: Final[Mapping[str, str]] = {
    "bind": LOOPBACK,
    "databases": "1024",  # one for each test
    "save": '""',  # what is in Redis may be lost at any time, and Pager is tested for that
    "set-proc-title": "no",
    "protected-mode": "yes",
}


class RedisServer(Server):
    """A Redis that keeps nothing on disk. ``settings`` as in redis.conf: ``{"maxmemory-policy": "allkeys-lru"}``."""

    name = "redis"

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Make nothing, for it keeps nothing."""

    def command(self) -> list[str]:
        """Return how it is started, with its settings written down."""
        settings = {**_SETTINGS, "port": str(self.port), "dir": str(self.place), "requirepass": self.password}
        file = self.place / "redis.conf"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name} {value}\n" for name, value in {**settings, **self.settings}.items()), "utf-8")
        return [program("redis-server", "redis-server"), str(file)]

    def answers(self) -> bool:
        """Return whether it takes the password and answers a ping."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"AUTH %s\r\nPING\r\n" % self.password.encode())
                with connection.makefile("rb") as replies:
                    return [replies.readline() for _ in range(2)] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False
