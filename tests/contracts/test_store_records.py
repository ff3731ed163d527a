"""What every store promises of templates, API keys, providers, reasons and answers already given."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from pagerd.core.errors import Conflict
from pagerd.core.outcomes import Reason, ReasonClass
from pagerd.core.policy import Channel
from pagerd.ports.store import (
    ApiKeyRow,
    IdempotencyRow,
    ProviderRow,
    Store,
    TemplateRow,
    VersionRow,
    Work,
)


async def test_a_reason_keeps_its_number(store: Store) -> None:
    reasons = [
        Reason(ReasonClass.PERMANENT_ADDRESS, "550 5.1.1"),
        Reason(ReasonClass.PERMANENT_ADDRESS, "553 5.1.3"),
        Reason(ReasonClass.TRANSIENT, "550 5.1.1"),
    ]
    first = await store.work(lambda w: [w.reasons.number(r) for r in reasons])
    again = await store.work(lambda w: [w.reasons.number(r) for r in reasons])
    assert first == again
    assert len(set(first)) == 3
    assert min(first) >= 1, "0 means: none"
    assert await store.read(lambda w: w.reasons.all()) == dict(zip(first, reasons, strict=True))


async def test_there_are_no_reasons_at_first(store: Store) -> None:
    assert await store.read(lambda w: w.reasons.all()) == {}


def _provider(name: str, **fields: Any) -> ProviderRow:
    row = ProviderRow(
        id=b"p" * 16,
        workspace=1,
        name=name,
        number=0,
        kind="smtp",
        channel=Channel.EMAIL,
        settings=b"{}",
        credential=None,
        enabled=True,
        paused=None,
        created_at=1.5,
        updated_at=2.5,
    )
    return msgspec.structs.replace(row, **fields)


async def test_providers_are_numbered_and_come_back_whole(store: Store) -> None:
    full = _provider("mail", credential=b"\0sealed", enabled=False, paused="config", settings=b'{"url": "x"}')
    await store.work(lambda w: w.providers.put(full))
    await store.work(lambda w: w.providers.put(_provider("alt")))
    await store.work(lambda w: w.providers.put(_provider("mail", workspace=2)))
    kept = await store.read(lambda w: w.providers.get(1, "mail"))
    assert kept is not None
    assert kept == msgspec.structs.replace(full, number=kept.number)
    assert [row.name for row in await store.read(lambda w: w.providers.all(1))] == ["alt", "mail"]
    assert len(await store.read(lambda w: w.providers.names())) == 3
    assert await store.read(lambda w: w.providers.get(1, "none")) is None


async def test_a_provider_put_again_is_replaced_and_keeps_its_number(store: Store) -> None:
    await store.work(lambda w: w.providers.put(_provider("mail")))
    first = await store.read(lambda w: w.providers.get(1, "mail"))
    await store.work(lambda w: w.providers.put(_provider("mail", enabled=False)))
    second = await store.read(lambda w: w.providers.get(1, "mail"))
    assert first is not None
    assert second == msgspec.structs.replace(first, enabled=False)


async def test_a_number_is_given_to_a_name_once(store: Store) -> None:
    """Providers of the configuration file have a number and no row."""
    numbers = await store.work(lambda w: [w.providers.number(1, name) for name in ("a", "b", "a")])
    assert numbers[0] == numbers[2] != numbers[1]
    assert all(1 <= number <= 255 for number in numbers)
    await store.work(lambda w: w.providers.put(_provider("b")))
    assert await store.read(lambda w: w.providers.names()) == {numbers[0]: "a", numbers[1]: "b"}
    kept = await store.read(lambda w: w.providers.get(1, "b"))
    assert kept is not None
    assert kept.number == numbers[1]


def _template(name: str, workspace: int = 1, **fields: Any) -> TemplateRow:
    row = TemplateRow(
        id=b"t" * 16,
        workspace=workspace,
        name=name,
        draft=b"\0draft",
        published=0,
        revision=1,
        created_at=1.5,
        updated_at=2.5,
    )
    return msgspec.structs.replace(row, **fields)


def _version(version: int, name: str = "welcome", workspace: int = 1) -> VersionRow:
    return VersionRow(
        workspace=workspace, name=name, version=version, body=bytes((0, version)), published_at=float(version)
    )


async def test_templates_come_back_in_order_of_name_by_pages(store: Store) -> None:
    names = ["Zebra", "apple", "banana", "cherry"]
    for name in (names[2], names[0], names[3], names[1]):
        await store.work(lambda w, name=name: w.templates.save(_template(name)))
    await store.work(lambda w: w.templates.save(_template("aardvark", workspace=2)))

    def look(work: Work) -> list[list[str]]:
        return [[row.name for row in work.templates.page(1, 2, after)] for after in ("", "apple", "cherry")]

    assert await store.read(look) == [names[:2], names[2:], []]
    assert await store.read(lambda w: w.templates.get(1, "apple")) == _template("apple")
    assert await store.read(lambda w: w.templates.get(1, "aardvark")) is None


async def test_a_template_saved_again_is_replaced(store: Store) -> None:
    await store.work(lambda w: w.templates.save(_template("welcome")))
    changed = _template("welcome", draft=b"other", published=3, revision=2, updated_at=9.5)
    await store.work(lambda w: w.templates.save(changed))
    assert await store.read(lambda w: w.templates.page(1, 10, "")) == [changed]


async def test_versions_come_back_newest_first(store: Store) -> None:
    for version in (1, 10, 2):
        await store.work(lambda w, version=version: w.templates.publish(_version(version)))
    await store.work(lambda w: w.templates.publish(_version(1, name="other")))
    assert await store.read(lambda w: w.templates.versions(1, "welcome")) == [_version(10), _version(2), _version(1)]
    assert await store.read(lambda w: w.templates.version(1, "welcome", 2)) == _version(2)
    assert await store.read(lambda w: w.templates.version(1, "welcome", 3)) is None
    assert await store.read(lambda w: w.templates.versions(2, "welcome")) == []


async def test_a_version_is_published_once(store: Store) -> None:
    await store.work(lambda w: w.templates.publish(_version(1)))
    again = msgspec.structs.replace(_version(1), body=b"other")
    with pytest.raises(Conflict):
        await store.work(lambda w: w.templates.publish(again))
    assert await store.read(lambda w: w.templates.version(1, "welcome", 1)) == _version(1)


def _key(first: int, workspace: int = 1, **fields: Any) -> ApiKeyRow:
    row = ApiKeyRow(
        id=bytes((first,)) * 16,
        workspace=workspace,
        name=f"key {first}",
        digest=bytes((first,)) * 32,
        live=True,
        scopes=("session.create", "session.read"),
        created_at=1.5,
    )
    return msgspec.structs.replace(row, **fields)


async def test_keys_come_back_whole_by_digest_and_newest_first(store: Store) -> None:
    rows = [_key(1), _key(2, live=False, scopes=(), expires_at=9.5), _key(3, workspace=2)]
    for row in rows:
        await store.work(lambda w, row=row: w.api_keys.add(row))
    assert await store.read(lambda w: [w.api_keys.by_digest(row.digest) for row in rows]) == rows
    assert await store.read(lambda w: w.api_keys.all(1)) == [rows[1], rows[0]]
    assert await store.read(lambda w: (w.api_keys.by_digest(b"?" * 32), w.api_keys.all(3))) == (None, [])


async def test_revoking_twice_keeps_the_first_time(store: Store) -> None:
    await store.work(lambda w: w.api_keys.add(_key(1)))
    assert await store.work(lambda w: w.api_keys.revoke(1, _key(1).id, 10.5))
    assert await store.work(lambda w: w.api_keys.revoke(1, _key(1).id, 11.5))
    assert await store.read(lambda w: w.api_keys.by_digest(_key(1).digest)) == _key(1, revoked_at=10.5)


async def test_a_key_of_another_workspace_can_not_be_revoked(store: Store) -> None:
    await store.work(lambda w: w.api_keys.add(_key(1)))
    assert not await store.work(lambda w: w.api_keys.revoke(2, _key(1).id, 10.5))
    assert not await store.work(lambda w: w.api_keys.revoke(1, b"?" * 16, 10.5))
    assert await store.read(lambda w: w.api_keys.by_digest(_key(1).digest)) == _key(1)


def _answer(**fields: Any) -> IdempotencyRow:
    row = IdempotencyRow(
        workspace=1, live=True, key=b"again", mac=b"m" * 32, status=202, answer=b'{"id": 1}', expires_at=100.0
    )
    return msgspec.structs.replace(row, **fields)


async def test_an_answer_is_kept_until_its_time(store: Store) -> None:
    await store.work(lambda w: w.idempotency.add(_answer(), now=1.0))
    seen = await store.read(lambda w: [w.idempotency.get(1, True, b"again", now) for now in (1.0, 99.5, 100.0)])
    assert seen == [_answer(), _answer(), None]


async def test_an_answer_is_found_by_workspace_mode_and_key(store: Store) -> None:
    await store.work(lambda w: w.idempotency.add(_answer(), now=1.0))
    asked = [(2, True, b"again"), (1, False, b"again"), (1, True, b"other")]
    assert await store.read(lambda w: [w.idempotency.get(*a, 1.0) for a in asked]) == [None, None, None]
    for fields in ({"workspace": 2}, {"live": False}, {"key": b"other"}):
        await store.work(lambda w, fields=fields: w.idempotency.add(_answer(**fields), now=1.0))
    assert await store.read(lambda w: w.idempotency.get(1, False, b"again", 1.0)) == _answer(live=False)


async def test_an_unexpired_answer_stands_in_the_way(store: Store) -> None:
    await store.work(lambda w: w.idempotency.add(_answer(), now=1.0))
    with pytest.raises(Conflict):
        await store.work(lambda w: w.idempotency.add(_answer(answer=b"other"), now=99.0))
    assert await store.read(lambda w: w.idempotency.get(1, True, b"again", 1.0)) == _answer()


async def test_an_expired_answer_is_replaced(store: Store) -> None:
    await store.work(lambda w: w.idempotency.add(_answer(), now=1.0))
    newer = _answer(answer=b"other", expires_at=200.0)
    await store.work(lambda w: w.idempotency.add(newer, now=100.0))
    assert await store.read(lambda w: w.idempotency.get(1, True, b"again", 100.0)) == newer


async def test_one_of_two_racing_answers_is_kept(store: Store) -> None:
    racing = [store.work(lambda w, n=n: w.idempotency.add(_answer(status=n), now=1.0)) for n in (201, 202, 203)]
    said = await asyncio.gather(*racing, return_exceptions=True)
    assert sorted(type(value).__name__ for value in said) == ["Conflict", "Conflict", "NoneType"]


async def test_answers_past_their_time_are_deleted_in_steps(store: Store) -> None:
    def fill(work: Work) -> None:
        for n in range(5):
            work.idempotency.add(_answer(key=bytes((n,)), expires_at=100.0), now=1.0)
        work.idempotency.add(_answer(key=b"later", expires_at=101.0), now=1.0)
        work.idempotency.add(_answer(key=b"for ever", expires_at=None), now=1.0)

    await store.work(fill)
    assert [await store.work(lambda w: w.idempotency.expire(100.0, 3)) for _ in range(3)] == [3, 2, 0]
    kept = await store.read(lambda w: [w.idempotency.get(1, True, k, 1.0) is None for k in (b"later", b"for ever")])
    assert kept == [False, False]


async def test_answers_without_a_time_are_walked_through_in_order_and_dropped_one_by_one(store: Store) -> None:
    rows = [
        _answer(workspace=workspace, live=live, key=key, expires_at=None)
        for workspace in (1, 2)
        for live in (False, True)
        for key in (b"a", b"b")
    ]

    def fill(work: Work) -> None:
        for row in reversed(rows):
            work.idempotency.add(row, now=1.0)
        work.idempotency.add(_answer(key=b"aa", expires_at=100.0), now=1.0)

    await store.work(fill)
    assert await store.read(lambda w: w.idempotency.lasting((0, False, b""), 3)) == rows[:3]
    assert await store.read(lambda w: w.idempotency.lasting((1, True, b"a"), 50)) == rows[3:]
    await store.work(lambda w: w.idempotency.drop(rows[4]))
    await store.work(lambda w: w.idempotency.drop(rows[4]))
    assert await store.read(lambda w: w.idempotency.lasting((1, True, b"a"), 50)) == [rows[3], *rows[5:]]
