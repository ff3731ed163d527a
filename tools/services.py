"""Starts and stops the servers of development: ``python3 -m tools.services start|stop|status|remove [NAME …]``.

They keep their data in ``.services`` and listen on loopback; ``.services/urls.env`` holds where. Repeating a start is
harmless: what runs is left alone, what died is started again, on its data. A stop ends exactly what was
started here, and a removal takes the data, too.
"""

from __future__ import annotations

import argparse
import fcntl
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tools.servers.kafka import KafkaServer
from tools.servers.postgres import KEYS, PostgresServer
from tools.servers.process import Unavailable
from tools.servers.redis import RedisServer
from tools.servers.server import Server

FOLDER = Path(__file__).resolve().parents[1] / ".services"


class Services:
    """The three servers of a folder, shared by all processes that use the folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        self.postgres = PostgresServer(folder / "postgres")
        self.redis = RedisServer(folder / "redis")
        self.kafka = KafkaServer(folder / "kafka")

    @property
    def all(self) -> dict[str, Server]:
        """The servers by name."""
        return {server.name: server for server in (self.postgres, self.redis, self.kafka)}

    def start(self, name: str) -> Server:
        """Return the server once it serves clients. Raises :class:`Unavailable`."""
        server = self.all[name]
        with self._alone(name):
            server.move()
            server.start()
        return server

    def stop(self, name: str) -> None:
        """Return when the server is gone; its data stay."""
        with self._alone(name):
            self.all[name].stop()

    def urls(self) -> dict[str, str]:
        """Return the settings of pagerd that lead to the servers that run."""
        settings: dict[str, str] = {}
        if self.postgres.running:
            settings |= {"PAGERD_STORE": self.postgres.url, "PAGERD_KEY_STORE": self.postgres.url_of(KEYS)}
        if self.kafka.running:
            settings["PAGERD_QUEUE"] = self.kafka.url
        if self.redis.running:
            settings["PAGERD_CACHE"] = self.redis.url
        return settings

    def write_urls(self) -> None:
        """Write them down, in the form of a shell's assignments; they hold passwords."""
        file = self.folder / "urls.env"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={url}\n" for name, url in self.urls().items()), "utf-8")

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Keep other processes from the server meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="services", description="PostgreSQL, Redis and Kafka for development.")
    parser.add_argument("order", choices=["start", "stop", "status", "remove"])
    services = Services()
    parser.add_argument("names", nargs="*", choices=[[], *services.all], metavar="NAME", default=[])
    given = parser.parse_args(words)
    names = given.names or list(services.all)
    order = {"start": _start, "stop": _stop, "status": _status, "remove": _remove}[given.order]
    with ThreadPoolExecutor(len(names)) as pool:
        done = list(pool.map(lambda name: order(services, name), names))
    services.write_urls()
    return 0 if all(done) else 1


def _start(services: Services, name: str) -> bool:
    ran, began = services.all[name].running, time.monotonic()
    try:
        server = services.start(name)
    except Unavailable as error:
        print(f"{name:9} {error}", file=sys.stderr)
        return False
    how = "runs" if ran else f"started in {time.monotonic() - began:.1f} s"
    print(f"{name:9} {server.url}  ({how}, process {server.pid})", flush=True)
    return True


def _stop(services: Services, name: str) -> bool:
    ran = services.all[name].running
    services.stop(name)
    print(f"{name:9} {'stopped' if ran else 'did not run'}", flush=True)
    return True


def _remove(services: Services, name: str) -> bool:
    _stop(services, name)
    services.all[name].remove()
    return True


def _status(services: Services, name: str) -> bool:
    server = services.all[name]
    runs = server.running and server.answers()
    print(f"{name:9} {f'{server.url}  (process {server.pid})' if runs else 'does not run'}", flush=True)
    return runs


if __name__ == "__main__":
    sys.exit(main())
