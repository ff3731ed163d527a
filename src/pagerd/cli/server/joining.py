"""The join of two witnesses: what an independent sink saw arrive, and what the ledger says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from pagerd.core.views import RecipientView, SessionView


class Join(msgspec.Struct, kw_only=True):
    """People counted by how often the sink got their mail and what the ledger says of them."""

    admitted: int = 0
    told: int = 0
    not_told: int = 0
    open: int = 0
    once: int = 0
    more_flagged: int = 0
    flagged_once: int = 0
    more_unflagged: list[str] = []
    lost: list[str] = []

    @property
    def holds(self) -> bool:
        """Whether the promise held: nobody lost, nobody open, nobody told twice without a flag."""
        return not (self.lost or self.more_unflagged or self.open)


def journal_lines(journal: Path) -> int:
    """Return how many mails the sink has taken so far."""
    return journal.read_bytes().count(b"\n")


def arrived(journal: Path) -> Counter[str]:
    """Return how many mails the sink took for each address."""
    rows = (line.split(b"\t") for line in journal.read_bytes().splitlines())
    return Counter(row[2].decode() for row in rows)


def join(people: Iterable[RecipientView], seen: Counter[str]) -> Join:
    """Return the join. A person is lost who is said to be told and whose mail never arrived."""
    found = Join()
    for person in people:
        _add(found, person, seen[person.to or ""])
    return found


def _add(found: Join, person: RecipientView, times: int) -> None:
    name = person.to or person.id
    found.admitted += 1
    if person.state == "accepted":
        found.told += 1
        if times == 0:
            found.lost.append(name)
    elif person.state in ("pending", "deferred", "sending", "in_doubt"):
        found.open += 1
    else:
        found.not_told += 1
    if times == 1:
        found.once += 1
        found.flagged_once += person.possible_duplicate
    elif times > 1 and person.possible_duplicate:
        found.more_flagged += 1
    elif times > 1:
        found.more_unflagged.append(name)


def table(found: Join, view: SessionView) -> str:
    """Return the join for people."""
    rows = [
        (found.admitted, "people were admitted", ""),
        (found.told, "are told, says the ledger", ""),
        (found.not_told, "are not told, says the ledger", "each with a reason"),
        (found.once, "are in the sink once", f"{found.flagged_once:,} of them were flagged: the mail had not left"),
        (found.more_flagged, "are in the sink twice, flagged", "marked as a possible duplicate before the resend"),
        (len(found.more_unflagged), "are in the sink twice, NOT flagged", "must be 0"),
        (len(found.lost), "are lost", "must be 0"),
        (found.open, "are still open", "must be 0"),
    ]
    lines = [f"{number:>8,}  {words:<36} {note}".rstrip() for number, words, note in rows]
    total = f"{view.told} + {view.withheld} + {view.not_told} + {view.in_doubt} + {view.to_go} = {view.total}"
    return "\n".join([*lines, "", f"told + withheld + not told + in doubt + to go:  {total}"])
