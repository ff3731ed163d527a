"""Looks whether a Redis can do what Pager wants of it, and says which setting to mend and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pagerd.adapters.redis.link import Link
from pagerd.core.errors import Misconfigured, PagerError, Unavailable
from pagerd.ports.time import Clock

if TYPE_CHECKING:
    from redis.asyncio import Redis

_OLDEST: Final = (6, 0)
"""The first that speaks RESP3 and has users."""
_REMEDIES: Final = {
    "redis_down": "Start Redis, or mend host and port. Where it speaks TLS write rediss://, where it does not redis://.",
    "redis_login": "Write the user and password that this Redis knows: redis://user:password@host.",
    "redis_rights": "Let the user read, write and run scripts on keys, and publish and subscribe to channels, that "
    "begin with pagerd: (ACL SETUSER … ~pagerd:* &pagerd:* +@all -@dangerous +info).",
    "redis_tls": "Use the name of the certificate as host, and ?ca_file=… for an authority of your own.",
    "redis_full": "Give Redis more memory (maxmemory), or a policy that evicts: volatile-lru.",
    "redis_read_only": "Name the primary, not a replica.",
    "redis_error": f"Pager needs Redis {'.'.join(map(str, _OLDEST))} or Valkey, or newer.",
}
_EVICTS: Final = "allkeys-"


async def examined(url: str, prefix: str, clock: Clock, setting: str = "cache") -> list[str]:
    """Return what to warn of, each with its remedy; raise what keeps Redis from being used.

    :class:`Misconfigured` is for a person to mend; with :class:`Unavailable` Pager starts all the same, without cache
    and with each process at its share of every rate. Both name ``setting``, the address without its password, and
    what to do.
    """
    link = Link(url, prefix, clock, setting)
    try:
        await link.ask(_rights_of(prefix))
        server = await link.ask(lambda client: client.info("server"))
        memory = await link.ask(lambda client: client.info("memory"))
    except PagerError as error:
        raise _explained(error, setting) from error
    finally:
        await link.aclose()
    _check_version(str(server.get("redis_version", "0")), link.address.shown, setting)
    return _warnings(memory, link.address.shown, setting)


def _rights_of(prefix: str) -> Any:
    """Return a question that does once what Pager does."""

    async def ask(client: Redis) -> None:
        key = f"{prefix}check"
        await client.set(key, b"1", px=1000)
        await client.eval("return redis.call('GET', KEYS[1])", 1, key)
        await client.publish(key, b"")

    return ask


def _explained(error: PagerError, setting: str) -> PagerError:
    remedy = _REMEDIES.get(error.code, "")
    words = f"{setting}: {error.detail}"
    if isinstance(error, Unavailable):
        told: PagerError = Unavailable(words, code=error.code)
        told.remedy = remedy
        return told
    return Misconfigured(words, code=error.code, remedy=remedy)


def _check_version(version: str, shown: str, setting: str) -> None:
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        raise Misconfigured(
            f"{setting}: Redis at {shown} is version {version}", code="redis_old", remedy=_REMEDIES["redis_error"]
        )


def _warnings(memory: dict[str, Any], shown: str, setting: str) -> list[str]:
    policy, most = str(memory.get("maxmemory_policy", "")), int(memory.get("maxmemory", 0))
    if not policy.startswith(_EVICTS):
        return []
    now = "" if most else ", as soon as it has a maxmemory"
    danger = "what is counted of a rate can be forgotten, and a provider used too fast"
    remedy = "Set maxmemory-policy to volatile-lru or noeviction."
    return [f"{setting}: Redis at {shown} evicts any key (maxmemory-policy {policy}){now}: {danger}. {remedy}"]
