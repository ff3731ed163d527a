"""The state of the model: a database, a queue, workers' memories, and the world outside.

A state is one nested tuple, so that it can be hashed, compared and printed. Three things live in it that must not
be mixed up: what is *durable* (session, batches, counters), what only a *worker* knows (its memory; gone with it),
and what really *happened* to people (``effects``: nobody in the system can look there, only the properties do).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from typing import Any, NamedTuple, TypeVar

from pagerd.core.policy import OnDoubt, OnInvalid
from pagerd.core.states import NOT_TOLD, TO_GO, WITHHELD, BatchState, RecipientState, SessionState

MANY = 2
"""Effects are counted 0, 1, many: that keeps the space finite, and no promise needs more."""


class Phase(IntEnum):
    """Where a worker stands in its way through a batch: after which K step."""

    IDLE = 0
    HOLDS = 1
    """K4: it holds a record of the queue and has not claimed the batch."""
    CLAIMED = 2
    """K5"""
    PREPARED = 3
    """K6, and again after each K10."""
    SENDING = 4
    """K7 … K9: a window of people is under way."""
    DONE = 5
    """K11 (or given back): only the record is left to acknowledge."""


class Slot(IntEnum):
    """How far one person of the window has come, as far as the worker's process knows."""

    NONE = 0
    INTENDED = 1
    """The intent is durable, the final dot is not written."""
    TAKEN = 2
    """The dot is written and had an effect; the answer was not read."""
    REFUSED = 3
    """The dot is written and had no effect; the answer was not read."""
    OK = 4
    PERMANENT = 5
    TRANSIENT = 6
    DOUBT = 7
    """The dot is written, and the answer can't come any more."""
    NOT_SENT = 8
    """Known not to have left: the fence fell, or the connection broke before this one's dot."""


UNREAD = (Slot.TAKEN, Slot.REFUSED)
UNDER_WAY = (Slot.INTENDED, *UNREAD)


class Cell(NamedTuple):
    """One recipient as the database has it."""

    state: RecipientState
    flagged: bool = False
    """``possible_duplicate``"""


class Batch(NamedTuple):
    """One batch row, and where its record is in the queue."""

    state: BatchState
    cells: tuple[Cell, ...]
    over: bool = False
    """By the database's clock the lease of its claim has ended."""
    losses: int = 0
    published: bool = False
    """The relay's cursor is past it (without a queue: always False)."""
    records: int = 0
    """How many copies of its record a consumer could take now: 0, 1, 2."""


class Worker(NamedTuple):
    """A process and all it remembers. ``newest`` is the truth about its token, which it can't see."""

    phase: Phase = Phase.IDLE
    batch: int = -1
    memory: tuple[Cell, ...] = ()
    """Its own copy of the cells: it writes it whole."""
    window: tuple[Slot, ...] = ()
    fresh: bool = False
    """Its local clock is before ``lease end - margin``: the fence stands."""
    newest: bool = False
    """No claim was made after its own: a write ``WHERE token = …`` would hit."""
    stopped: bool = False
    """SIGSTOP: it does nothing, also not renew."""
    record: bool = False
    """It holds an unacknowledged record of its batch."""


IDLE = Worker()


class Counts(NamedTuple):
    """The five parts of the balance, maintained by deltas as the code does."""

    to_go: int
    in_doubt: int
    told: int
    withheld: int
    not_told: int


class State(NamedTuple):
    """Everything."""

    session: SessionState
    round: int
    batches: tuple[Batch, ...]
    workers: tuple[Worker, ...]
    effects: tuple[tuple[int, ...], ...]
    """Of each batch, how often each person was really told."""
    counts: Counts


class Kind(IntEnum):
    """Who makes a step. Only the first kind has to happen: the promise that nobody gets stuck leans on it alone."""

    SYSTEM = 0
    """Workers, relay, sweeper, and the clock."""
    FAULT = 1
    PERSON = 2


class Step(NamedTuple):
    """What happened between two states. ``kind`` tells who did it; a trace is a list of these."""

    name: str
    kind: Kind
    worker: int = -1
    batch: int = -1
    person: int = -1
    note: str = ""

    def __str__(self) -> str:
        """Return a line a person can read; numbers count from 1."""
        who = f"worker {self.worker + 1}: " if self.worker >= 0 else ""
        what = f", batch {self.batch + 1}" if self.batch >= 0 else ""
        whom = f", person {self.person + 1}" if self.person >= 0 else ""
        return f"{who}{self.name}{what}{whom}{' — ' + self.note if self.note else ''}"


class Who(Enum):
    """What is to be known about a recipient before anything is sent."""

    GOOD = auto()
    BAD = auto()
    """Does not pass the prepare barrier: a missing variable, an address that can't be written to."""
    SUPPRESSED = auto()
    """On the suppression list."""


Audience = tuple[tuple[Who, ...], ...]
ONE_PAIR: Audience = ((Who.GOOD, Who.GOOD),)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a run of the model contains: who, how many workers, which faults, what people do meanwhile.

    ``poison`` has the thresholds of the poison rule added together: after so many lost claims a batch is dead; 0
    leaves the rule out. ``stoppable`` workers may be stopped; one that never is must remain, to finish the work.
    ``answers`` are the refusals that a provider may give beside its ok; ``rounds`` bounds the redrives.
    """

    audience: Audience = ONE_PAIR
    window: int = 1
    on_doubt: OnDoubt = OnDoubt.RESEND
    on_invalid: OnInvalid = OnInvalid.FAIL
    workers: int = 2
    stoppable: int = 1
    answers: frozenset[Slot] = frozenset({Slot.PERMANENT, Slot.TRANSIENT})
    faults: frozenset[str] = frozenset({"kill", "stop", "break", "shutdown"})
    people: frozenset[str] = frozenset()
    queue: bool = False
    sweeper: bool = True
    poison: int = 0
    rounds: int = 2

    @property
    def total(self) -> int:
        """All recipients."""
        return sum(len(batch) for batch in self.audience)

    def first(self) -> State:
        """Return the state right after K1: admitted, durable, started, answered with 2xx."""
        batches = tuple(Batch(BatchState.READY, (Cell(RecipientState.PENDING),) * len(b)) for b in self.audience)
        effects = tuple((0,) * len(b) for b in self.audience)
        counts = Counts(self.total, 0, 0, 0, 0)
        return State(SessionState.RUNNING, 1, batches, (IDLE,) * self.workers, effects, counts)


PART: dict[RecipientState, int] = {
    **dict.fromkeys(TO_GO, 0),
    RecipientState.IN_DOUBT: 1,
    RecipientState.ACCEPTED: 2,
    **dict.fromkeys(WITHHELD, 3),
    **dict.fromkeys(NOT_TOLD, 4),
}
"""Which part of the balance a state belongs to."""


def tally(cells: tuple[Cell, ...]) -> list[int]:
    """Return how many cells are in each part of the balance."""
    parts = [0] * len(Counts._fields)
    for cell in cells:
        parts[PART[cell.state]] += 1
    return parts


T = TypeVar("T")


def put(items: tuple[T, ...], at: int, item: T) -> tuple[T, ...]:
    """Return ``items`` with another one in place ``at``."""
    return (*items[:at], item, *items[at + 1 :])


def with_worker(s: State, i: int, worker: Worker) -> State:
    """Return the state with another worker in place ``i``."""
    return State(s.session, s.round, s.batches, put(s.workers, i, worker), s.effects, s.counts)


def with_batch(s: State, b: int, **change: Any) -> State:
    """Return the state with something changed about batch ``b`` that is neither its state nor its people."""
    return s._replace(batches=put(s.batches, b, s.batches[b]._replace(**change)))
