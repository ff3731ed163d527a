"""How a batch is spoken: pipelined, chunked, or one command at a time, whatever the peer can; and how it ends.

All three put a message in doubt only in the step that writes its last byte, and believe a reply only in its place: a
group whose replies have the wrong shape (a 250 where 354 belongs) is from a peer that can't count, and none of them is
believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from pagerd.adapters.smtp.abilities import Abilities
from pagerd.adapters.smtp.classes import Phase
from pagerd.adapters.smtp.dialogue import Dialogue, Slot
from pagerd.adapters.smtp.envelope import Parcel, stuffed
from pagerd.adapters.smtp.replies import Reply
from pagerd.adapters.smtp.script import Broken, Script

RSET: Final = b"RSET\r\n"
DATA: Final = b"DATA\r\n"
DOT: Final = b".\r\n"
_RESET: Final = Phase.RESET
_MAIL: Final = Phase.MAIL
_RCPT: Final = Phase.RCPT
_DATA: Final = Phase.DATA
_END: Final = Phase.END


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say about how to speak."""

    command: float
    dot: float
    most: int
    chunking: bool = False
    unanswered: int = 1


class Line:
    """What a connection's peer can do, and in which state the last batch left it.

    ``dirty``: a transaction is open, RSET must come first; ``reused``: it carried a batch before; ``rested``: it was
    idle long enough to have died unseen; ``over``: it must not carry another.
    """

    __slots__ = ("abilities", "dirty", "over", "rested", "reused")

    def __init__(self, abilities: Abilities) -> None:
        self.abilities = abilities
        self.dirty = False
        self.reused = False
        self.rested = False
        self.over = False


def carry(talk: Dialogue, line: Line, manner: Manner) -> Script:
    """Hand the open messages of a batch over; every one has its outcome in the end, unless ``talk.stale`` is set.

    Stale: a connection that had been used before broke before the peer said anything and before any last byte was
    written, as one does that died while idle. Nothing was sent; the batch can go over a fresh connection.
    """
    parcels = talk.parcels(line.abilities, manner.most)
    try:
        if manner.chunking and line.abilities.chunking and line.abilities.pipelining:
            yield from _chunked(talk, line, manner, parcels)
        elif line.abilities.pipelining:
            yield from _pipelined(talk, line, manner, parcels)
        else:
            yield from _one_by_one(talk, line, manner, parcels)
    except Broken as broken:
        line.over = True
        silent = not broken.replies or (broken.by_reply and len(broken.replies) == 1)
        talk.stale = line.reused and silent and not (talk.heard or talk.unanswered or talk.halted)
        if not talk.stale:
            talk.broke(broken)


def _pipelined(talk: Dialogue, line: Line, manner: Manner, parcels: Iterator[Parcel]) -> Script:
    """Speak in groups (RFC 2920): a message's body and dot, and the next one's MAIL, RCPT and DATA, in one write.

    What leads a group is RSET after a refusal, the body's dot (then ``final`` is whose), or a lone dot where the peer
    said 354 though nobody is to get the message.
    """
    body, lead, final = b"", RSET if line.dirty else b"", -1
    ahead = next(parcels, None)
    while ahead or lead:
        if ahead is None and lead is RSET:
            line.dirty = True
            return
        pieces = (body, lead, ahead.envelope, DATA) if ahead else (body, lead)
        try:
            replies = yield b"".join(pieces), bool(lead) + 3 * bool(ahead), manner.command if final < 0 else manner.dot
            _check_group(replies, lead is RSET, bool(ahead))
        except Broken:
            talk.expects = _group(lead, final, ahead)
            raise
        talk.heard, line.dirty = True, False
        if final >= 0:
            talk.answered(final, replies[0])
        if ahead is None:
            return
        mail, rcpt, data = replies[-3:]
        here, ahead = ahead, next(parcels, None)
        if mail[0] == rcpt[0] == 50 and data[0] == 51:
            if not talk.may_finish(here.at):
                raise Broken("fence")
            body, lead, final = stuffed(here.body), DOT, here.at
        else:
            talk.expects = _group(b"", -1, here)
            talk.settle(replies[-3:])
            if data[0] == 51 and rcpt[0] == 50:
                raise Broken("bad_reply", "354 though MAIL was refused: a lone dot could be taken for a message")
            body, lead, final = b"", DOT if data[0] == 51 else RSET if mail[0] == 50 else b"", -1


def _group(lead: bytes, final: int, ahead: Parcel | None) -> tuple[Slot, ...]:
    """Return what the replies to a group will answer."""
    slots: tuple[Slot, ...] = ()
    if ahead:
        slots = ((_MAIL, ahead.at), (_RCPT, ahead.at), (_DATA, ahead.at))
    if not lead:
        return slots
    whose = final if final >= 0 else ahead.at if ahead else 0
    return (_END if final >= 0 else _RESET, whose), *slots


def _check_group(replies: list[Reply], reset: bool, envelope: bool) -> None:
    """Raise :class:`Broken` for replies that can't be those to the group."""
    if envelope and replies[0][0] == replies[-3][0] == replies[-2][0] == 50 and replies[-1].startswith(b"354"):
        return
    digits = bytes(reply[0] for reply in replies)
    if envelope:
        mail, rcpt, data = digits[-3:]
        good = mail != 51 and rcpt != 51 and (replies[-1].startswith(b"354") if data == 51 else data > 51)
        digits = digits[:-3]
    else:
        good = True
    if not good or digits == b"3" or (reset and digits != b"2"):
        raise Broken("bad_reply", "replies out of step")


def _one_by_one(talk: Dialogue, line: Line, manner: Manner, parcels: Iterator[Parcel]) -> Script:
    """Wait for each reply: what a peer without PIPELINING must be given."""
    for here in parcels:
        mail, rcpt = here.envelope.splitlines(keepends=True)
        commands = [(_MAIL, mail), (_RCPT, rcpt), (_DATA, DATA)]
        if line.dirty:
            commands.insert(0, (_RESET, RSET))
        for phase, command in commands:
            talk.expects = ((phase, here.at),)
            replies = yield command, 1, manner.command
            talk.heard = True
            if not _granted(phase, replies[0]):
                talk.settle(replies)
                line.dirty = phase is not _MAIL
                break
            line.dirty = phase is not _RESET
        else:
            if not talk.may_finish(here.at):
                raise Broken("fence")
            talk.expects = ((_END, here.at),)
            replies = yield stuffed(here.body) + DOT, 1, manner.dot
            line.dirty = False
            _check_group(replies, reset=False, envelope=False)
            talk.answered(here.at, replies[0])


def _granted(phase: Phase, reply: Reply) -> bool:
    """Tell whether the next command may follow; raise :class:`Broken` for what is no answer to this phase."""
    if reply.startswith(b"354") if phase is _DATA else reply[0] == 50:
        return True
    if reply[0] < 52 or phase is _RESET:
        raise Broken("bad_reply", "reply out of step")
    return False


def _chunked(talk: Dialogue, line: Line, manner: Manner, parcels: Iterator[Parcel]) -> Script:
    """Speak in BDAT (RFC 3030): whole messages in one write, at most ``unanswered`` of them.

    A connection that rested is asked first whether it lives, for here the first write already holds a last byte.
    """
    while group := list(islice(parcels, manner.unanswered)):
        if line.rested:
            talk.expects = ((_RESET, group[0].at),)
            _check_group((yield RSET, 1, manner.command), reset=True, envelope=False)
            line.rested = line.dirty = False
            talk.heard = True
        pieces, slots = _load(talk, line, group)
        if not pieces:
            return
        talk.expects = slots
        replies = yield b"".join(pieces), len(slots), manner.dot
        talk.heard = True
        if any(r[0] == 51 or (phase is _RESET and r[0] != 50) for (phase, _), r in zip(slots, replies, strict=True)):
            raise Broken("bad_reply", "replies out of step")
        talk.settle(replies)
        line.dirty = any(reply[0] != 50 for reply in replies[-3:])


def _load(talk: Dialogue, line: Line, group: list[Parcel]) -> tuple[list[bytes], list[Slot]]:
    """Return the bytes of as many messages as the fence lets out, and what their replies will answer.

    RSET parts them: after a refused one the next MAIL would find a transaction open.
    """
    pieces: list[bytes] = []
    slots: list[Slot] = []
    for here in group:
        if not talk.may_finish(here.at):
            break
        if line.dirty or slots:
            pieces.append(RSET)
            slots.append((_RESET, here.at))
        pieces += (here.envelope, b"BDAT %d LAST\r\n" % len(here.body), here.body)
        slots += ((_MAIL, here.at), (_RCPT, here.at), (_END, here.at))
    return pieces, slots
