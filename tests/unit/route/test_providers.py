"""Providers of the configuration file and of the API: kept, chosen, and never telling a credential."""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import msgspec
import pytest

from pagerd.core.errors import Conflict, Invalid, Missing, Unavailable
from pagerd.core.policy import Channel
from pagerd.core.requests import ProviderDraft
from pagerd.route.providers import Providers

CANARY = "canary-Passw0rd-äöü"


def again(river: Any, *, loopback_only: bool = True) -> Providers:
    """Return the providers of a process that starts over the same store."""
    return Providers(
        river.store, river.seal, river.clock, river.chance, {"memory": river.kind}, loopback_only=loopback_only
    )


async def put(river: Any, name: str = "second", **fields: Any) -> Any:
    return await river.providers.put(ASKER, name, ProviderDraft(**({"kind": "memory"} | fields)))


@pytest.fixture(autouse=True)
def asker(rivers: Any) -> None:
    global ASKER  # noqa: PLW0603
    ASKER = rivers.ASKER


async def test_what_the_api_puts_survives_a_start_with_its_credential_sealed(river: Any) -> None:
    await put(river, credential=CANARY, settings={"note": "x"}, sender="Other <other@example.com>")
    row = await river.store.read(lambda w: w.providers.get(1, "second"))
    assert CANARY.encode() not in msgspec.msgpack.encode(row)
    start = again(river)
    await start.load(1, {})
    assert river.credentials[-1] == CANARY
    view = await start.get(ASKER, "second")
    assert (view.kind, view.enabled, view.managed_by) == ("memory", True, "api")
    carrier = start.choose(Channel.EMAIL)
    assert carrier is not None
    assert carrier.sender == "Other <other@example.com>"


async def test_a_credential_is_never_shown(river: Any) -> None:
    view = await put(river, credential=CANARY)
    assert view.credential["set"] is True
    shown = [
        repr(view),
        str(view),
        msgspec.json.encode(view).decode(),
        repr(river.providers),
        str(vars(river.providers)),
    ]
    shown.append(msgspec.json.encode(await river.providers.all(ASKER)).decode())
    with pytest.raises((Invalid, TypeError)) as failed:
        await put(river, credential=CANARY, settings={"unknown": 1})
    shown.append("".join(traceback.format_exception(failed.value)))
    shown.append(pickle.dumps(view).decode("latin-1"))
    assert not [text for text in shown if CANARY in text]
    assert view.credential["fingerprint"] != (await put(river, credential=CANARY + "2")).credential["fingerprint"]


async def test_an_unset_credential_stays_and_null_removes_it(river: Any) -> None:
    await put(river, credential=CANARY)
    view = await put(river, settings={"note": "new"})
    assert river.credentials[-1] == CANARY
    assert view.credential is not None
    view = await put(river, credential=None)
    assert river.credentials[-1] is None
    assert view.credential is None


async def test_what_the_file_manages_is_not_changed_here(river: Any) -> None:
    with pytest.raises(Conflict) as refused:
        await put(river, "mail")
    assert refused.value.code == "managed_by_file"
    assert (await river.providers.get(ASKER, "mail")).managed_by == "file"


async def test_a_file_wins_over_a_stored_provider_of_the_same_name(river: Any) -> None:
    await put(river, "third", sender="stored@example.com")
    start = again(river)
    await start.load(1, {"third": ProviderDraft(kind="memory", sender="file@example.com")})
    assert (await start.get(ASKER, "third")).managed_by == "file"
    carrier = start.choose(Channel.EMAIL)
    assert carrier is not None
    assert carrier.sender == "file@example.com"


async def test_what_would_leave_this_machine_is_refused_and_nothing_is_kept(river: Any) -> None:
    with pytest.raises(Invalid) as refused:
        await put(river, settings={"abroad": True})
    assert refused.value.code == "not_loopback"
    assert await river.store.read(lambda w: w.providers.all(1)) == []
    with pytest.raises(Missing):
        await river.providers.get(ASKER, "second")
    free = again(river, loopback_only=False)
    await free.load(1, {})
    assert (await free.put(ASKER, "second", ProviderDraft(kind="memory", settings={"abroad": True}))).enabled


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (ProviderDraft(kind="pigeon"), "provider_kind_unknown"),
        (ProviderDraft(kind="memory", channel=Channel.SMS), "provider_channel"),
        (ProviderDraft(kind="memory", settings={"bathc": 3}), "setting_invalid"),
        (ProviderDraft(kind="memory", settings={"batch": "many"}), "setting_invalid"),
    ],
)
async def test_a_draft_that_makes_no_provider_is_refused(river: Any, draft: ProviderDraft, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        await river.providers.put(ASKER, "second", draft)
    assert refused.value.code == code
    assert [view.name for view in await river.providers.all(ASKER)] == ["mail"]


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "ä", "x" * 65])
async def test_names_are_plain(river: Any, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await put(river, name)
    assert refused.value.code == "name_invalid"


async def test_a_pause_lasts_over_a_start_and_over_a_change_until_somebody_resumes_it(river: Any) -> None:
    await put(river)
    assert (await river.providers.pause(ASKER, "second", "quota")).paused == "quota"
    assert (await river.providers.pause(ASKER, "second", "quota")).paused == "quota"
    start = again(river)
    await start.load(1, {})
    assert (await start.get(ASKER, "second")).paused == "quota"
    assert (await put(river, settings={"note": "mended"})).paused == "quota"
    assert (await river.providers.resume(ASKER, "second")).paused is None
    assert (await river.providers.resume(ASKER, "second")).paused is None


async def test_a_test_asks_the_peer(river: Any) -> None:
    await put(river)
    river.opened[-1].down = "535 wrong password"
    with pytest.raises(Unavailable, match="535"):
        await river.providers.test(ASKER, "second")
    assert await river.providers.ping() == {"mail": None, "second": "535 wrong password"}
    river.opened[-1].down = None
    assert (await river.providers.test(ASKER, "second")).name == "second"


async def test_the_file_s_come_first_then_by_name_and_disabled_ones_never(river: Any) -> None:
    await put(river, "aaa")
    chosen = river.providers.choose(Channel.EMAIL)
    assert chosen.provider.name == "mail"
    start = again(river)
    await start.load(1, {})
    await put(river, "bbb", enabled=False)
    await start.load(1, {})
    assert start.choose(Channel.EMAIL).provider.name == "aaa"  # type: ignore[union-attr]
    assert start.choose(Channel.SMS) is None
    await start.put(ASKER, "aaa", ProviderDraft(kind="memory", enabled=False))
    assert start.choose(Channel.EMAIL) is None


async def test_a_number_belongs_to_a_name_for_ever(river: Any) -> None:
    await put(river)
    first = river.providers.choose(Channel.EMAIL).number
    numbers = await river.store.read(lambda w: w.providers.names())
    await put(river, settings={"note": "again"})
    assert await river.store.read(lambda w: w.providers.names()) == numbers
    assert first != next(n for n, name in numbers.items() if name == "second")


async def test_more_names_than_a_vector_can_tell_apart_are_refused(river: Any) -> None:
    def fill(work: Any) -> int:
        return max(work.providers.number(1, f"old-{n}") for n in range(254))

    assert await river.store.work(fill) == 255
    with pytest.raises(Conflict) as refused:
        await put(river, "one-too-many")
    assert refused.value.code == "too_many_providers"
    assert (await put(river, "old-7")).name == "old-7"


async def test_nobody_is_found_under_another_name(river: Any) -> None:
    for verb in (river.providers.get, river.providers.test, river.providers.resume):
        with pytest.raises(Missing):
            await verb(ASKER, "nobody")


async def test_the_kinds_come_with_the_schema_of_their_settings(river: Any) -> None:
    kinds = river.providers.kinds()
    assert [kind.kind for kind in kinds] == ["memory"]
    assert "from" in str(kinds[0].settings_schema)


async def test_what_could_not_be_stored_is_not_used(river: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(river, settings={"note": "old"})
    old, inner = river.providers._carriers["second"], river.providers._records.keep

    async def failing(row: Any) -> None:
        raise Unavailable("the disk is full", code="disk_full")

    monkeypatch.setattr(river.providers._records, "keep", failing)
    with pytest.raises(Unavailable):
        await put(river, settings={"note": "new"})
    with pytest.raises(Unavailable):
        await put(river, "third")
    assert river.providers._carriers["second"] is old
    assert (await river.providers.get(ASKER, "second")).settings == {"note": "old"}
    with pytest.raises(Missing):
        await river.providers.get(ASKER, "third")
    monkeypatch.setattr(river.providers._records, "keep", inner)
    assert (await put(river, settings={"note": "new"})).settings == {"note": "new"}


async def test_a_stored_provider_that_would_leave_the_machine_is_disabled_and_the_others_serve(river: Any) -> None:
    river.providers._loopback_only = False
    await put(river, "abroad", settings={"abroad": True})
    await put(river, "local")
    start = again(river)
    await start.load(1, {})
    assert list(start.held_back) == ["abroad"]
    view = await start.get(ASKER, "abroad")
    assert not view.enabled
    assert "--really-send" in (view.paused or "")
    assert [v.name for v in await start.all(ASKER)] == ["abroad", "local"]
    carrier = start.choose(Channel.EMAIL)
    assert carrier is not None
    assert carrier.provider is river.opened[-1]
    assert list(await start.ping()) == ["local"], "nobody even connects to it"
    with pytest.raises(Conflict):
        await start.test(ASKER, "abroad")
    await start.put(ASKER, "abroad", ProviderDraft(kind="memory"))
    assert start.held_back == {}
    assert (await start.get(ASKER, "abroad")).enabled
