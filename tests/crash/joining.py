"""The join that proves the promises: people admitted, the sink's journal, the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .processes import Accepted
from .river import UNSETTLED, River

WITHHELD = ("suppressed", "duplicate")


class Join(NamedTuple):
    """What became of everybody, and where that is against a promise."""

    admitted: int
    told: int
    unknown: int
    other: int
    lost: int
    duplicates: int
    flagged: int
    silent: int
    wrong: list[str]

    def __add__(self, other: object) -> Join:
        assert isinstance(other, Join)
        return Join(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def join(river: River, *, window: int, deaths: int) -> Join:
    """Return the join over all sessions of a river, its counters recounted; the server is stopped then."""
    views = {session: river.finished(session) for session in river.people}
    accepted = river.sink.accepted()
    sums = [
        join_one(views[session], people, river.recipients(session), accepted)
        for session, people in river.people.items()
    ]
    total = sums[0]
    for each in sums[1:]:
        total += each
    wrong = total.wrong + strangers(river.people.values(), accepted) + river.recount()
    if total.flagged + held(views.values()) > window * deaths:
        wrong.append(f"{total.flagged} flagged, {total.unknown} unknown; {deaths} deaths with a window of {window}")
    return total._replace(wrong=wrong)


def join_one(
    view: Mapping[str, Any], people: Sequence[str], rows: Sequence[Mapping[str, Any]], accepted: Iterable[Accepted]
) -> Join:
    """Return the join of one session."""
    mine = set(people)
    times: Counter[str] = Counter()
    ids: dict[str, set[str]] = {}
    for mail in accepted:
        if mail.to in mine:
            times[mail.to] += 1
            ids.setdefault(mail.to, set()).add(mail.message_id)
    states = Counter(row["state"] for row in rows)
    wrong = [f"{to} has several Message-IDs: {sorted(found)}" for to, found in ids.items() if len(found) > 1]
    if sorted(row["to"] for row in rows) != sorted(people):
        wrong.append(f"{len(people)} were admitted, the ledger lists {len(rows)}")
    lost = [row["to"] for row in rows if row["state"] in UNSETTLED]
    lost += [row["to"] for row in rows if row["state"] == "accepted" and not times[row["to"]]]
    wrong += [f"lost: {to}" for to in lost]
    silent = [row["to"] for row in rows if times[row["to"]] > 1 and not row["possible_duplicate"]]
    wrong += [f"told twice without a flag: {to}" for to in silent]
    wrong += [
        f"{row['to']} is {row['state']}, but the sink has the mail"
        for row in rows
        if times[row["to"]]
        and row["state"] not in ("accepted", "unknown")
        # A flagged one may have been accepted by the attempt that is in doubt, and have failed later.
        and not row["possible_duplicate"]
    ]
    duplicates = sum(1 for row in rows if times[row["to"]] > 1)
    wrong += _held(view, rows, duplicates)
    flagged = sum(row["possible_duplicate"] for row in rows)
    if flagged != view["possible_duplicates"]:
        wrong.append(f"{flagged} are flagged, {view['possible_duplicates']} are counted")
    known = states["accepted"] + states["unknown"]
    return Join(
        admitted=len(people),
        told=states["accepted"],
        unknown=states["unknown"],
        other=len(rows) - known,
        lost=len(lost),
        duplicates=duplicates,
        flagged=flagged,
        silent=len(silent),
        wrong=wrong,
    )


def _held(view: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], duplicates: int) -> list[str]:
    """Return what is wrong with a session whose doubts are held: nobody is told twice, or might be."""
    if view["on_doubt"] != "hold":
        return []
    flagged = [row["to"] for row in rows if row["possible_duplicate"]]
    wrong = [f"held, but sent again: {to}" for to in flagged]
    return wrong + ([f"held, but {duplicates} were told twice"] if duplicates else [])


def held(views: Iterable[Mapping[str, Any]]) -> int:
    """Return how many people of sessions whose doubts are held are in doubt for good."""
    return sum(view["outcomes"]["unknown"] for view in views if view["on_doubt"] == "hold")


def strangers(people: Iterable[Sequence[str]], accepted: Iterable[Accepted]) -> list[str]:
    """Return mails for nobody who was admitted."""
    known = {to for audience in people for to in audience}
    return [f"a mail for {mail.to}, whom nobody admitted" for mail in accepted if mail.to not in known]
