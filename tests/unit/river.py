"""The rooms of the river put together over doubles, with the clock in the test's hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from pagerd.adapters.memory.keys import MemoryKeyRing, MemoryKeyStore
from pagerd.adapters.memory.ledger import MemoryLedger
from pagerd.adapters.memory.provider import MemoryProvider
from pagerd.adapters.memory.queue import MemoryBroker, MemoryQueue
from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import FixedChance, HandClock
from pagerd.audience.addresses import checked
from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel, Priority
from pagerd.core.recipients import Flaw
from pagerd.core.requests import Asker, MessageRequest, ProviderDraft, Retry, SessionRequest
from pagerd.core.templates import TemplateDraft
from pagerd.core.views import RecipientView, SessionView
from pagerd.ledger.accounts import Accounts
from pagerd.ledger.reasons import ReasonBook
from pagerd.ledger.recount import recount
from pagerd.ports.ledger import Ledger, Want
from pagerd.ports.provider import Limits, ProviderKind
from pagerd.ports.watch import BatchDone
from pagerd.route.providers import Providers
from pagerd.seal.hierarchy import Seal
from pagerd.session.admission import Admission, Desk
from pagerd.session.answers import Answers
from pagerd.session.asking import Planner
from pagerd.session.closing import REASONS
from pagerd.session.control import Control
from pagerd.session.housekeeping import Housekeeper
from pagerd.session.relay import Means, Relay
from pagerd.session.uploads import Uploads
from pagerd.templates.library import Templates
from pagerd.worker.briefs import Briefs
from pagerd.worker.budget import Budget
from pagerd.worker.intake import Intake
from pagerd.worker.lane import Lane, Tools
from pagerd.worker.prepare import Preparer

ASKER = Asker(workspace=1, key=b"k" * 16, sees_addresses=True)
DAY = 86_400.0
WANTS = (
    Want(priority=Priority.BULK, batches=1, alone=True),
    Want(priority=Priority.URGENT, batches=8),
    Want(priority=Priority.BULK, batches=8),
)


class Killed(BaseException):
    """The process died here."""


class MemorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider in memory is told; ``abroad`` says that it would leave this machine."""

    sender: str | None = msgspec.field(default="Shop <shop@example.com>", name="from")
    batch: int = 500
    abroad: bool = False
    note: str = ""


class Seen:
    """Implements ``ports.watch.Watch``: remembers all, and lets a test wait for what it is told."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self.done: list[BatchDone] = []
        self.batches_claimed: list[int] = []
        self.troubles: list[tuple[str, BaseException]] = []

    def batch_done(self, done: BatchDone) -> None:
        self.done.append(done)
        self._told.set()

    def claimed(self, batches: int) -> None:
        self.batches_claimed.append(batches)
        self._told.set()

    def trouble(self, what: str, error: BaseException) -> None:
        self.troubles.append((what, error))
        self._told.set()

    async def until(self, condition: Callable[[], Any], timeout: float = 10) -> None:  # noqa: ASYNC109
        """Return once ``condition`` holds; it is looked at after everything that is told."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._told.clear()
                await self._told.wait()


class Points:
    """A failpoint that a test sets off: at the n-th pass of a place it dies there."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._deadly: dict[str, int] = {}

    def kill(self, name: str, nth: int = 1) -> None:
        self._deadly[name] = nth

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        if name in self._deadly:
            self._deadly[name] -= 1
            if not self._deadly[name]:
                del self._deadly[name]
                raise Killed(name)


class River:
    """Every room over one store; ``ledger(worker)`` is the ledger as the process of that worker sees it."""

    def __init__(self, store: Any, ledgers: Callable[[Any, HandClock, bytes], Ledger], clock: HandClock) -> None:
        self.store = store
        self.clock = clock
        self.chance = FixedChance(clock)
        self.keystore = MemoryKeyStore()
        self.ring = MemoryKeyRing()
        self.watch = Seen()
        self.points = Points()
        self.broker = MemoryBroker()
        self.opened: list[MemoryProvider] = []
        self.credentials: list[str | None] = []
        self._ledgers = ledgers
        self._made: dict[bytes, Ledger] = {}
        self.parts_put = itertools.count(1)

    async def open(self, **options: Any) -> River:
        self.seal = await Seal.open(self.ring, self.keystore, self.clock, 1)
        self.rooms(**options)
        await self.providers.load(1, {"mail": ProviderDraft(kind="memory")})
        self.provider = self.opened[-1]
        return self

    def rooms(self, *, window: int = 200, urgent_window: int = 16, key_days: float = 30, store: Any = None) -> None:
        """(Re)build the rooms, as a start of the process does: nothing but the stores survives."""
        store = store or self.store
        clock, chance = self.clock, self.chance
        self.book = ReasonBook(store)
        self.templates = Templates(store, self.seal.workspace, clock, chance)
        self.kind = ProviderKind(
            name="memory",
            channel=Channel.EMAIL,
            settings=MemorySettings,
            open=self._open,
            loopback_only=lambda settings: not settings.abroad,
        )
        if not hasattr(self, "providers"):
            self.providers = Providers(store, self.seal, clock, chance, {"memory": self.kind}, loopback_only=True)
        self.accounts = Accounts(store, self.seal, self.book, clock, normalised)
        self.desk = Desk(
            store=store,
            seal=self.seal,
            planner=Planner(self.templates, self.providers),
            answers=Answers(store, self.seal, clock),
            book=self.book,
            clock=clock,
            chance=chance,
            failpoint=self.points,
            reserve=1000,
        )
        self.admission = Admission(self.desk)
        self.uploads = Uploads(self.desk, self.accounts, self.templates)
        self.housekeeper = Housekeeper(store, self.seal, self.book, clock, self.watch, key_days=key_days)
        self.control = Control(store, self.seal, self.book, self.accounts, clock, lambda: None)
        self.window, self.urgent_window = window, urgent_window

    def _open(self, name: str, settings: MemorySettings, credential: str | None) -> MemoryProvider:
        self.credentials.append(credential)
        self.opened.append(MemoryProvider(self.clock, name=name, limits=Limits(batch=settings.batch)))
        return self.opened[-1]

    def ledger(self, worker: bytes = b"worker-a") -> Ledger:
        if worker not in self._made:
            self._made[worker] = self._ledgers(self.store, self.clock, worker)
        return self._made[worker]

    def tools(self, ledger: Ledger | None = None, **fields: Any) -> Tools:
        given = {
            "ledger": ledger or self.ledger(),
            "briefs": Briefs(self.store, self.seal, self.templates),
            "preparer": Preparer(self.seal.index, self.clock),
            "providers": self.providers,
            "book": self.book,
            "budget": Budget(self.window, self.urgent_window),
            "clock": self.clock,
            "chance": self.chance,
            "watch": self.watch,
            "failpoint": self.points,
            "stopping": asyncio.Event(),
        }
        return Tools(**(given | fields))

    def queue(self) -> MemoryQueue:
        """Return another member of the group of workers."""
        return MemoryQueue(self.broker)

    def relay(self, turn: Any = None, **fields: Any) -> Relay:
        given = {
            "store": self.store,
            "ledger": self.ledger(),
            "queue": self.queue(),
            "clock": self.clock,
            "chance": self.chance,
            "watch": self.watch,
            "failpoint": self.points,
        }
        return Relay(Means(**(given | fields)), turn)

    def intake(self, tools: Tools, queue: Any = None, worker: bytes = b"worker-a", lanes: int = 4) -> Intake:
        return Intake(tools, queue or self.queue(), self.store, worker, lanes)

    async def aclose(self) -> None:
        for made in self._made.values():
            if hasattr(made, "aclose"):
                await made.aclose()
        await self.providers.aclose()
        await self.store.aclose()

    # -- what people do ---------------------------------------------------------------------------------------

    async def publish(
        self, name: str = "hello", *, subject: str = "Hi", text: str = "Hello {{ name }}", **fields: Any
    ) -> None:
        draft = {"variants": [{"channel": "email", "subject": subject, "text": text}]} | fields
        await self.templates.save(1, name, msgspec.convert(draft, TemplateDraft))
        await self.templates.publish(1, name)

    async def admit(self, people: Sequence[Any] | int | None, *, retry: Retry | None = None, **fields: Any) -> str:
        """Admit a session of these people (a number: so many), and return its identifier."""
        recipients = persons(people) if isinstance(people, int) else people
        request = SessionRequest(**({"template": "hello", "recipients": recipients} | fields))
        answer = await self.admission.admit(ASKER, request, retry)
        assert answer.status == 202
        return str(msgspec.json.decode(answer.body)["id"])

    async def message(self, to: Any = "ada@example.com", *, retry: Retry | None = None, **fields: Any) -> str:
        request = MessageRequest(**({"to": to, "template": "hello", "data": {"name": "Ada"}} | fields))
        answer = await self.admission.admit_message(ASKER, request, retry)
        return str(msgspec.json.decode(answer.body)["id"])

    async def put(self, session: str, part: int, text: str | bytes, kind: str = "text/csv", **fields: Any) -> Any:
        body = text.encode() if isinstance(text, str) else text
        return await self.uploads.put_part(ASKER, session, part, chunks(body), content_type=kind, **fields)

    # -- what workers do --------------------------------------------------------------------------------------

    async def lane(self, claim: Any, tools: Tools | None = None) -> None:
        await Lane(tools or self.tools(), claim).run()

    async def claim(self, worker: bytes = b"worker-a", n: int = 8) -> list[Any]:
        wants = [msgspec.structs.replace(want, batches=n) for want in WANTS]
        return await self.ledger(worker).claim(worker, wants)

    async def work(self, worker: bytes = b"worker-a", **fields: Any) -> int:
        """Work batches until none can be claimed at this moment; return how many claims that took."""
        tools, taken = self.tools(self.ledger(worker), **fields), 0
        await self.ledger(worker).renew(worker)
        while claims := await self.ledger(worker).claim(worker, WANTS):
            taken += len(claims)
            assert taken < 5000, "this never ends"
            await asyncio.gather(*(Lane(tools, claim).run() for claim in claims))
        return taken

    async def chores(self) -> None:
        """Let the housekeeper do what is due."""
        await asyncio.wait_for(self.housekeeper.pulse(), 20)

    async def reclaim(self, worker: bytes) -> int:
        """Take back what other workers, who are dead now, hold."""
        self.clock.advance(30.5)
        return await self.ledger(worker).sweep()

    # -- what is true -----------------------------------------------------------------------------------------

    async def view(self, session: str) -> SessionView:
        return await self.accounts.session(ASKER, session)

    async def people(self, session: str, **filters: Any) -> list[RecipientView]:
        given = {"state": None, "reason_class": None, "code": None, "limit": 500, "cursor": None} | filters
        return (await self.accounts.recipients(ASKER, session, **given)).items

    async def states(self, session: str) -> list[str]:
        return [person.state for person in await self.people(session)]

    async def audit(self) -> None:
        """Recount everything, and see that every balance adds up."""
        await self.book.load()
        numbers = {reason: number for number, reason in self.book.known.items()}
        for row in await self.store.read(lambda work: work.sessions.next_after(0, 1000)):
            closed = numbers[REASONS[row.closed_as]] if row.closed_as is not None else 0
            differences = await self.store.read(lambda work, r=row, c=closed: recount(work, r, c))
            assert not differences, differences
            adds_up(await self.accounts.view_of(row.number))


def adds_up(view: SessionView) -> None:
    """Assert that everything in a session's view adds up."""
    assert view.told + view.withheld + view.not_told + view.in_doubt + view.to_go == view.total
    assert sum(view.outcomes.values()) == view.total
    assert min(view.outcomes.values()) >= 0
    batches = dict(view.batches)
    assert batches.pop("total") == sum(batches.values())
    assert min(batches.values()) >= 0
    assert sum(reason.count for reason in view.reasons) == view.withheld + view.not_told + view.in_doubt
    assert sum(view.receipts.values()) == view.outcomes["accepted"]


def normalised(to: str) -> str:
    mailbox = checked(to)
    if isinstance(mailbox, Flaw):
        raise Invalid(mailbox.detail, code=mailbox.code)
    return mailbox.normalised


def persons(n: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"to": f"p{i}@example.com", "data": {"name": f"N{i}"}} for i in range(start, start + n)]


def csv_of(n: int, start: int = 0) -> str:
    return "to,name\n" + "".join(f"p{i}@example.com,N{i}\n" for i in range(start, start + n))


async def chunks(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def settle(condition: Callable[[], Any], turns: int = 2000) -> None:
    """Give everybody else turns until ``condition`` holds."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


@asynccontextmanager
async def over_memory(folder: Path, **options: Any) -> AsyncIterator[River]:
    clock = HandClock()
    store = MemoryStore()
    river = River(store, lambda s, c, worker: MemoryLedger(s, c), clock)
    await river.open(**options)
    yield river
    await river.aclose()


_EMPTY: list[bytes] = []


@asynccontextmanager
async def over_sqlite(folder: Path, **options: Any) -> AsyncIterator[River]:
    from pagerd.adapters.sql.sqlite.ledger import SqliteLedger
    from pagerd.adapters.sql.sqlite.store import SqliteStore, migrated

    path = folder / "pagerd.db"
    if not _EMPTY:  # one migration for all tests of a process
        migrated(path)
        _EMPTY.append(path.read_bytes())
    path.write_bytes(_EMPTY[0])
    river = River(SqliteStore(path), SqliteLedger, HandClock())
    await river.open(**options)
    yield river
    await river.aclose()


Opening = Callable[..., Awaitable[River]]
