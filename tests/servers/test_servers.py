"""The servers that tests stand on: they keep data and port through a death, and end when told."""

from __future__ import annotations

import contextlib
import os
import signal
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import confluent_kafka
import psycopg
import pytest
import redis
from confluent_kafka.admin import AdminClient, NewTopic
from tools.servers.certificate import Certificate
from tools.servers.kafka import KafkaServer
from tools.servers.pgbouncer import PgBouncer
from tools.servers.postgres import PostgresServer
from tools.servers.process import Unavailable, command_of, descendants
from tools.servers.redis import RedisServer
from tools.services import Services

SECONDS = 20


def test_postgres_keeps_what_was_committed_before_it_was_shot(private_postgres: Callable[..., PostgresServer]) -> None:
    server = private_postgres()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    port, family = server.port, [server.pid, *descendants(server.pid or 0)]
    server.pause()  # so that no child can notice by itself that its parent is gone
    server.kill()
    assert not server.running
    assert not any(command_of(pid or 0) for pid in family), "its children are gone with it"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)
    server.start()
    assert server.port == port
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_postgres_comes_back_while_children_of_the_one_that_was_shot_still_work(
    private_postgres: Callable[..., PostgresServer],
) -> None:
    server = private_postgres()
    with contextlib.closing(psycopg.connect(server.url, autocommit=True)) as connection, ThreadPoolExecutor(1) as pool:
        busy = pool.submit(connection.execute, "SELECT count(*) FROM generate_series(1, 3000000)")
        os.kill(server.pid or 0, signal.SIGKILL)
        server.start()
        assert isinstance(busy.exception(SECONDS), psycopg.OperationalError | None)
    with psycopg.connect(server.url) as again:
        assert again.execute("SELECT 2").fetchone() == (2,)


def test_the_owner_of_a_database_is_held_by_row_level_security_as_in_earnest(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        asked = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(asked).fetchone() == (False, False)


def test_postgres_with_tls_takes_nobody_without(
    private_postgres: Callable[..., PostgresServer], make_certificate: Callable[..., Certificate]
) -> None:
    made = make_certificate()
    server = private_postgres(tls=made, settings={"max_connections": "7"})
    with psycopg.connect(f"{server.url}?sslmode=verify-full&sslrootcert={made.chain}") as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("7",)
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"{server.url}?sslmode=disable")


def test_pgbouncer_hands_a_connection_to_many_clients(
    private_postgres: Callable[..., PostgresServer], private_pgbouncer: Callable[..., PgBouncer]
) -> None:
    bouncer = private_pgbouncer(private_postgres(), settings={"default_pool_size": "1"})
    seen = set()
    for _ in range(2):
        with psycopg.connect(bouncer.url_of("pagerd"), autocommit=True) as connection:
            seen.add(connection.execute("SELECT pg_backend_pid()").fetchone())
    assert len(seen) == 1


def test_redis_forgets_when_shot_and_comes_back_where_it_was(private_redis: Callable[..., RedisServer]) -> None:
    server = private_redis(settings={"maxmemory-policy": "allkeys-lru"})
    with redis.Redis.from_url(server.url) as connection:
        connection.set("a", "b")
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
    server.kill()
    server.start()
    with redis.Redis.from_url(server.url) as connection:
        assert connection.get("a") is None


def test_a_paused_server_is_there_and_does_not_answer(private_redis: Callable[..., RedisServer]) -> None:
    server = private_redis()
    server.pause()
    assert server.running
    assert not server.answers()
    server.resume()
    assert server.answers()


def test_kafka_with_sasl_and_tls_keeps_its_records_when_shot(
    private_kafka: Callable[..., KafkaServer],
    make_certificate: Callable[..., Certificate],
    unique: Callable[[str], str],
) -> None:
    made, topic = make_certificate(), unique("topic")
    server = private_kafka(users={"shop": "secret"}, tls=made)
    assert server.protocol == "SASL_SSL"
    known = {"sasl.mechanisms": "PLAIN", "sasl.username": "shop", "sasl.password": "secret"}
    client = {
        "bootstrap.servers": server.servers,
        "security.protocol": server.protocol,
        "ssl.ca.location": str(made.chain),
        **known,
    }
    _make_topic(AdminClient(client), topic)
    _produce(confluent_kafka.Producer(client), topic, b"kept")
    server.kill()
    server.start()
    assert _first(client, topic) == b"kept"
    assert _first({"bootstrap.servers": server.inner_servers}, topic) == b"kept", (
        "those who prepare a test need neither"
    )


def test_the_shared_kafka_serves_a_group_of_the_new_protocol(kafka_servers: str, unique: Callable[[str], str]) -> None:
    client, topic = {"bootstrap.servers": kafka_servers}, unique("topic")
    _make_topic(AdminClient(client), topic)
    _produce(confluent_kafka.Producer(client), topic, b"shared")
    group = {"group.id": unique("group"), "group.protocol": "consumer", "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer({**client, **group})
    consumer.subscribe([topic])
    try:
        message = consumer.poll(SECONDS)
        assert message is not None
        assert message.value() == b"shared"
    finally:
        consumer.close()


def test_each_test_has_an_empty_redis_database(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.dbsize() == 0


def test_starting_twice_at_once_makes_one_server(tmp_path: Path) -> None:
    both = [Services(tmp_path), Services(tmp_path)]
    try:
        with ThreadPoolExecutor(2) as pool:
            pids = {server.pid for server in pool.map(lambda services: services.start("redis"), both)}
        assert len(pids) == 1
        assert both[1].urls() == {"PAGERD_CACHE": both[0].redis.url}
    finally:
        both[0].redis.remove()


def test_a_pid_of_somebody_else_is_not_ours_to_end(tmp_path: Path, private_redis: Callable[..., RedisServer]) -> None:
    other = private_redis()
    ours = RedisServer(tmp_path / "ours")
    ours.folder.mkdir()
    (ours.folder / "pid").write_text(str(other.pid))
    assert not ours.running
    ours.stop()
    ours.kill()
    assert other.answers()


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "wrong", settings={"maxmemory-policy": "no-such-policy"})
    with pytest.raises(Unavailable, match="must be one of the following"):
        server.start()


def test_a_port_that_was_taken_is_named_and_a_shared_server_moves(
    tmp_path: Path, private_redis: Callable[..., RedisServer]
) -> None:
    first, second = private_redis(), RedisServer(tmp_path / "second")
    second.folder.mkdir()
    (second.folder / "ports").write_text(str(first.port))
    with pytest.raises(Unavailable, match=f"port {first.port}"):
        second.start()
    second.move()
    with second:
        assert second.port != first.port


def test_a_certificate_is_for_the_names_it_was_made_for(make_certificate: Callable[..., Certificate]) -> None:
    context = ssl.create_default_context(cafile=str(make_certificate("DNS:other.example").chain))
    (authority,) = context.get_ca_certs()
    assert authority["subjectAltName"] == (("DNS", "other.example"),)


def _make_topic(admin: AdminClient, topic: str) -> None:
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result(SECONDS)


def _produce(producer: confluent_kafka.Producer, topic: str, value: bytes) -> None:
    producer.produce(topic, value)
    assert producer.flush(SECONDS) == 0


def _first(client: dict[str, str], topic: str) -> bytes | None:
    consumer = confluent_kafka.Consumer({**client, "group.id": "none"})
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
    try:
        message = consumer.poll(SECONDS)
        return None if message is None else message.value()
    finally:
        consumer.close()
