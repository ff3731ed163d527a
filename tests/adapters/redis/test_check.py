"""A Redis that can't be used, or should not be as it is: the setting, the place without its password, the remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import redis
from tools.servers.certificate import Certificate
from tools.servers.redis import RedisServer

from pagerd.adapters.redis.check import examined
from pagerd.adapters.redis.link import Link
from pagerd.adapters.system.time import SystemClock
from pagerd.core.errors import Misconfigured, PagerError, Unavailable

Making = Callable[..., RedisServer]


async def examine(url: str) -> list[str]:
    return await examined(url, "pagerd:", SystemClock(), "cache")


async def refused(url: str, kind: type[PagerError], code: str) -> PagerError:
    with pytest.raises(kind) as told:
        await examine(url)
    assert told.value.code == code
    assert told.value.detail.startswith("cache: ")
    assert told.value.remedy
    assert "s3cret" not in told.value.detail + told.value.remedy
    return told.value


async def test_a_redis_as_it_should_be_says_nothing(redis_url: str) -> None:
    assert await examine(redis_url) == []


async def test_one_that_is_not_there_is_no_reason_not_to_start(private_redis: Making) -> None:
    server = private_redis()
    server.kill()
    error = await refused(server.url, Unavailable, "redis_down")
    assert str(server.port) in error.detail
    assert "Start Redis" in error.remedy


@pytest.mark.parametrize("login", [":s3cret-wrong@", "nobody:s3cret@", ""])
async def test_a_wrong_password_or_none(private_redis: Making, login: str) -> None:
    port = private_redis().port
    await refused(f"redis://{login}127.0.0.1:{port}/0", Misconfigured, "redis_login")


async def test_a_user_without_rights(private_redis: Making) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as admin:
        admin.acl_setuser("shop", enabled=True, passwords="+s3cret", keys=["pagerd:*"], categories=["+@read"])
    error = await refused(f"redis://shop:s3cret@127.0.0.1:{server.port}", Misconfigured, "redis_rights")
    assert "ACL SETUSER" in error.remedy


async def test_the_rights_that_the_remedy_names_are_enough(private_redis: Making) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as admin:
        admin.execute_command(
            "ACL", "SETUSER", "shop", "on", ">s3cret", "~pagerd:*", "&pagerd:*", "+@all", "-@dangerous", "+info"
        )
    url = f"redis://shop:s3cret@127.0.0.1:{server.port}"
    assert await examine(url) == []
    from pagerd.adapters.redis.pace import RedisPace
    from pagerd.core.rates import Rate

    link = Link(url, "pagerd:", SystemClock())
    pace = RedisPace(link, SystemClock())
    assert await pace.take("a", Rate(messages=1), 1) == 0.0
    assert await pace.take("a", Rate(messages=1), 1) <= 1.0
    assert pace.workers == 1
    await pace.aclose()
    await link.aclose()


@pytest.mark.parametrize(
    ("policy", "most", "words"),
    [
        ("noeviction", "0", None),
        ("volatile-lru", "100mb", None),
        ("allkeys-lru", "100mb", "evicts any key (maxmemory-policy allkeys-lru):"),
        ("allkeys-random", "0", "as soon as it has a maxmemory"),
    ],
)
async def test_one_that_evicts_is_warned_of(private_redis: Making, policy: str, most: str, words: str | None) -> None:
    server = private_redis(settings={"maxmemory-policy": policy, "maxmemory": most})
    warnings = await examine(server.url)
    assert len(warnings) == (words is not None)
    if words is not None:
        assert words in warnings[0]
        assert "volatile-lru or noeviction" in warnings[0]
        assert server.password not in warnings[0]


async def test_a_replica(private_redis: Making) -> None:
    primary = private_redis()
    replica = private_redis(settings={"replicaof": f"127.0.0.1 {primary.port}", "masterauth": primary.password})
    await refused(replica.url, Misconfigured, "redis_read_only")


async def test_a_full_one(private_redis: Making) -> None:
    server = private_redis(settings={"maxmemory": "1mb", "maxmemory-policy": "noeviction"})
    await refused(server.url, Unavailable, "redis_full")


@pytest.fixture
def tls(private_redis: Making, make_certificate: Callable[..., Certificate]) -> Callable[..., Any]:
    def make(*names: str) -> tuple[RedisServer, Certificate, int]:
        from tools.servers.ports import free_port

        made, port = make_certificate(*names), free_port()
        files = {"tls-cert-file": str(made.chain), "tls-key-file": str(made.key), "tls-ca-cert-file": str(made.chain)}
        server = private_redis(settings=files | {"tls-port": str(port), "tls-auth-clients": "no"})
        return server, made, port

    return make


async def test_tls_with_the_authority_that_is_named(tls: Callable[..., Any]) -> None:
    server, made, port = tls()
    assert await examine(f"rediss://:{server.password}@localhost:{port}/0?ca_file={made.chain}") == []


async def test_tls_whose_name_or_authority_is_wrong_or_that_is_not_there(tls: Callable[..., Any]) -> None:
    server, made, port = tls("DNS:other.example")
    login = f":{server.password}@"
    named = await refused(f"rediss://{login}localhost:{port}?ca_file={made.chain}", Misconfigured, "redis_tls")
    assert "localhost" in named.detail
    await refused(f"rediss://{login}localhost:{port}", Misconfigured, "redis_tls")
    plain = await refused(f"rediss://{login}localhost:{server.port}", Unavailable, "redis_down")
    assert "where it does not redis://" in plain.remedy
    error = await refused(f"redis://{login}localhost:{port}", Unavailable, "redis_down")
    assert "rediss://" in error.remedy


async def test_a_ca_file_that_is_not_there() -> None:
    with pytest.raises(Misconfigured, match=r"cache: ca_file /nowhere.pem can't be read"):
        await examine("rediss://localhost?ca_file=/nowhere.pem")


def test_without_the_library_it_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "redis"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Misconfigured) as told:
        Link("redis://localhost", "pagerd:", SystemClock())
    assert told.value.remedy == "pip install 'pagerd[redis]'"
