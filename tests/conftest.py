"""Real servers for all tests: shared ones that ``make test`` starts before, and private ones to be shot.

Where a shared one does not run, the first test that wants it starts it. Where it can't be had, tests are skipped; with
``CI`` set they fail.
"""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest
from tests.databases import Databases
from tools.servers.certificate import Certificate, certificate
from tools.servers.kafka import KafkaServer
from tools.servers.pgbouncer import PgBouncer
from tools.servers.postgres import PostgresServer
from tools.servers.process import Unavailable
from tools.servers.redis import RedisServer
from tools.servers.server import Server
from tools.services import Services

S = TypeVar("S", bound=Server)
_DATABASES_EACH = 64
_counter = itertools.count()
_given: list[str] = []
"""The names that :func:`unique` gave."""


@pytest.fixture(scope="session")
def shared_services() -> Services:
    """The servers of ``make services``, running or not."""
    return Services()


@pytest.fixture(scope="session")
def postgres_server(shared_services: Services) -> PostgresServer:
    """The shared PostgreSQL, running. Not to be shot: other tests use it."""
    _start(shared_services, "postgres")
    return shared_services.postgres


@pytest.fixture
def new_database(postgres_server: PostgresServer) -> Iterator[Callable[[], str]]:
    """``new_database()`` is an empty database of the test's own, as its owner, who is no superuser."""
    import psycopg

    made: list[str] = []
    with psycopg.connect(postgres_server.admin_url, autocommit=True) as connection:

        def make() -> str:
            made.append(f"test_{secrets.token_hex(6)}")
            connection.execute(f"CREATE DATABASE {made[-1]} OWNER pagerd")
            return postgres_server.url_of(made[-1])

        yield make
        for name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(new_database: Callable[[], str]) -> str:
    """An empty database of the test's own."""
    return new_database()


@pytest.fixture(scope="session")
def postgres_databases(postgres_server: PostgresServer) -> Iterator[Databases]:
    """Databases on the shared PostgreSQL, migrated and empty: see :class:`Databases`."""
    with Databases(postgres_server).ready() as databases:
        yield databases


@pytest.fixture
def redis_url(shared_services: Services) -> Iterator[str]:
    """A database of the shared Redis that is the test's own, empty. (Channels of publish and subscribe are shared.)"""
    import redis

    _start(shared_services, "redis")
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    number = worker * _DATABASES_EACH + next(_counter) % _DATABASES_EACH
    url = f"{shared_services.redis.url.rpartition('/')[0]}/{number}"
    with redis.Redis.from_url(url) as connection:
        connection.flushdb()
        yield url


@pytest.fixture(scope="session")
def kafka_servers(shared_services: Services) -> Iterator[str]:
    """``bootstrap.servers`` of the shared Kafka; topics whose names begin with a :func:`unique` one go in the end."""
    from confluent_kafka.admin import AdminClient

    _start(shared_services, "kafka")
    yield shared_services.kafka.servers
    admin = AdminClient({"bootstrap.servers": shared_services.kafka.servers})
    if ours := [topic for topic in admin.list_topics(timeout=10).topics if topic.startswith(tuple(_given))]:
        for gone in admin.delete_topics(ours).values():
            gone.exception(timeout=10)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """``unique("topic")`` is a name that nobody else uses."""

    def make(word: str) -> str:
        _given.append(f"{word}-{secrets.token_hex(6)}")
        return _given[-1]

    return make


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``private(KafkaServer, users={"shop": "secret"})`` is a server of the test's own, running, to be shot at will."""
    made: list[Server] = []

    def make(kind: type[S], *words: Any, **options: Any) -> S:
        server = kind(tmp_path / f"{kind.name}-{len(made)}", *words, **options)
        made.append(server)
        try:
            server.start()
        except Unavailable as error:
            _missing(error)
        return server

    yield make
    for server in reversed(made):
        server.remove()


@pytest.fixture
def private_postgres(private: Callable[..., Any]) -> Callable[..., PostgresServer]:
    """``private_postgres(settings={"max_connections": "5"}, tls=certificate)``: see :class:`PostgresServer`."""
    return lambda **options: private(PostgresServer, **options)


@pytest.fixture
def private_pgbouncer(private: Callable[..., Any]) -> Callable[..., PgBouncer]:
    """``private_pgbouncer(postgres, settings={"default_pool_size": "2"})``: before that PostgreSQL."""
    return lambda postgres, **options: private(PgBouncer, postgres, **options)


@pytest.fixture
def private_redis(private: Callable[..., Any]) -> Callable[..., RedisServer]:
    """``private_redis(settings={"maxmemory-policy": "allkeys-lru"})``: see :class:`RedisServer`."""
    return lambda **options: private(RedisServer, **options)


@pytest.fixture
def private_kafka(private: Callable[..., Any]) -> Callable[..., KafkaServer]:
    """``private_kafka(users={"shop": "secret"}, tls=certificate)``: see :class:`KafkaServer`."""
    return lambda **options: private(KafkaServer, **options)


@pytest.fixture
def make_certificate(tmp_path: Path) -> Callable[..., Certificate]:
    """``make_certificate("DNS:other.example")``: for these names; without any, for this machine."""
    return lambda *names: certificate(tmp_path / f"certificate-{next(_counter)}", *names)


def _start(services: Services, name: str) -> None:
    try:
        services.start(name)
    except Unavailable as error:
        _missing(error)


def _missing(error: Unavailable) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{error}\n`make services` installs and starts what is missing.")
    pytest.skip(f"{error} (`make services`)")
