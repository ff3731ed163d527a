"""Stages that keep their state in memory, and a client that asks the real application over them."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, MutableMapping
from itertools import count
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from pagerd.api.app import build
from pagerd.api.doors import PERMISSIONS
from pagerd.api.stages import Pulse, Settings, Stages
from pagerd.core import ids
from pagerd.core.errors import Conflict, Fault, Invalid, Missing, Unauthenticated, Unavailable, WrongState
from pagerd.core.policy import Channel
from pagerd.core.requests import Answer, Asker, MessageRequest, ProviderDraft, Redrive, Retry, SessionRequest
from pagerd.core.states import FINISHED_SESSION
from pagerd.core.templates import TemplateDraft
from pagerd.core.views import (
    AttemptView,
    BatchView,
    CheckView,
    Page,
    PartView,
    ProviderKindView,
    ProviderView,
    RecipientView,
    SessionView,
    TimelineView,
)
from pagerd.guard.permissions import read_scopes
from pagerd.ports.store import ApiKeyRow
from pagerd.render.preview import Preview
from pagerd.templates.views import TemplateView, VersionView

NOW = "2026-11-22T18:30:00Z"


class Principal(msgspec.Struct, frozen=True):
    workspace: int
    key_id: bytes
    scopes: frozenset[str]
    live: bool = True


class Keys:
    """Keys by their text."""

    def __init__(self) -> None:
        self.known: dict[str, Principal] = {}
        self.rows: dict[bytes, ApiKeyRow] = {}

    def hold(self, text: str, *scopes: str, workspace: int = 1) -> dict[str, str]:
        """Make a key, and return the header that carries it."""
        self.known[text] = Principal(workspace, text.encode(), frozenset(scopes))
        return {"Authorization": f"Bearer {text}"}

    async def authenticate(self, header: str | None) -> Principal:
        kind, _, text = (header or "").partition(" ")
        if kind.lower() != "bearer" or text not in self.known:
            raise Unauthenticated
        return self.known[text]

    async def issue(
        self, workspace: int, name: str, scopes: Iterable[str], *, expires_at: float | None = None
    ) -> tuple[str, ApiKeyRow]:
        granted = read_scopes(scopes)
        id_ = len(self.rows).to_bytes(16, "big")
        text = f"pgr_live_{len(self.rows)}"
        self.hold(text, *granted, workspace=workspace)
        self.rows[id_] = ApiKeyRow(
            id=id_,
            workspace=workspace,
            name=name,
            digest=text.encode(),
            live=True,
            scopes=tuple(sorted(granted)),
            created_at=0.0,
            expires_at=expires_at,
        )
        return text, self.rows[id_]

    async def list(self, workspace: int) -> list[ApiKeyRow]:
        return [row for row in reversed(self.rows.values()) if row.workspace == workspace]

    async def revoke(self, workspace: int, id: bytes) -> None:
        row = self.rows.get(id)
        if row is None or row.workspace != workspace:
            raise Missing("there is no such key")
        self.rows[id] = msgspec.structs.replace(row, revoked_at=row.revoked_at or 1.0)
        self.known.pop(row.digest.decode(), None)


class Room:
    """What all the stages share: the sessions of every workspace."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.sessions: dict[tuple[int, str], SessionView] = {}
        self.people: dict[tuple[int, str], list[RecipientView]] = {}
        self.addresses: dict[str, str] = {}
        self.parts: dict[tuple[str, int], tuple[PartView, bytes]] = {}
        self.retries: dict[tuple[int, str], tuple[bytes, Answer]] = {}
        self.requests: list[SessionRequest | MessageRequest] = []
        self.full = False

    def new_id(self, kind: str) -> str:
        size = {ids.SESSION: 16, ids.RECIPIENT: 28}[kind]
        return ids.written(kind, next(self.numbers).to_bytes(size, "big"))

    def session(self, asker: Asker, session_id: str) -> SessionView:
        ids.read(ids.SESSION, session_id)
        try:
            return self.sessions[asker.workspace, session_id]
        except KeyError:
            raise Missing(f"there is no session {session_id}") from None

    def move(self, asker: Asker, session_id: str, **changes: Any) -> SessionView:
        view = msgspec.structs.replace(self.session(asker, session_id), **changes)
        self.sessions[asker.workspace, session_id] = view
        return view

    def add(self, asker: Asker, request: SessionRequest, addresses: list[str]) -> SessionView:
        session_id = self.new_id(ids.SESSION)
        view = session_view(session_id, request, len(addresses))
        self.sessions[asker.workspace, session_id] = view
        self.people[asker.workspace, session_id] = [self.person(session_id, i, a) for i, a in enumerate(addresses, 1)]
        return view

    def person(self, session_id: str, line: int, address: str) -> RecipientView:
        recipient_id = self.new_id(ids.RECIPIENT)
        self.addresses[recipient_id] = address
        return RecipientView(
            id=recipient_id,
            session=session_id,
            batch=ids.batch_id(ids.read(ids.SESSION, session_id), 1),
            line=line,
            to=address,
            state="pending",
            attempts=0,
            possible_duplicate=False,
            reason=None,
        )

    def shown(self, asker: Asker, person: RecipientView) -> RecipientView:
        address = self.addresses[person.id]
        return msgspec.structs.replace(person, to=address if asker.sees_addresses else f"{address[0]}…@…")


def session_view(session_id: str, request: SessionRequest, total: int) -> SessionView:
    return SessionView(
        id=session_id,
        state="staging" if request.recipients is None else "running",
        live=True,
        template=request.template,
        channel=(request.channel or "email"),
        batch_size=request.batch_size or 5,
        priority=request.priority.name.lower(),
        on_invalid=request.on_invalid.value,
        on_doubt=request.on_doubt.value,
        round=1,
        total=total,
        told=0,
        withheld=0,
        not_told=0,
        in_doubt=0,
        to_go=total,
        outcomes={"pending": total},
        receipts={},
        possible_duplicates=0,
        reasons=[],
        batches={"total": -(-total // 5)},
        rate_per_second=None,
        estimated_finish_at=None,
        send_at=None,
        expires_at=None,
        created_at=NOW,
        started_at=None,
        finished_at=None,
        reference=request.reference,
        metadata=request.metadata,
    )


class Admission:
    def __init__(self, room: Room) -> None:
        self.room = room

    async def admit(self, asker: Asker, request: SessionRequest, retry: Retry | None) -> Answer:
        def make() -> Any:
            addresses = [self.address(i, one) for i, one in enumerate(request.recipients or [])]
            return self.room.add(asker, request, addresses)

        return self.once(asker, request, retry, make)

    async def admit_message(self, asker: Asker, request: MessageRequest, retry: Retry | None) -> Answer:
        def make() -> Any:
            as_session = SessionRequest(template=request.template, recipients=[], channel=request.channel)
            address = self.address(1, {"to": request.to if isinstance(request.to, str) else request.to.get("email")})
            view = self.room.add(asker, as_session, [address])
            return self.room.people[asker.workspace, view.id][0]

        return self.once(asker, request, retry, make)

    async def check(self, asker: Asker, request: SessionRequest) -> CheckView:
        found = len(request.recipients or [])
        return CheckView(recipients=found, valid=found, errors=[], error_count=0, duplicates=0, rendered=[])

    def once(self, asker: Asker, request: Any, retry: Retry | None, make: Callable[[], Any]) -> Answer:
        if self.room.full:
            raise Unavailable("The disk is nearly full.", code="disk_low", retry_after=30)
        known = self.room.retries.get((asker.workspace, retry.key)) if retry else None
        if known and retry:
            if known[0] != retry.body:
                raise Invalid("Another body came with this key before.", code="idempotency_mismatch")
            return msgspec.structs.replace(known[1], replayed=True)
        self.room.requests.append(request)
        answer = Answer(status=202, body=msgspec.json.encode(make()))
        if retry:
            self.room.retries[asker.workspace, retry.key] = retry.body, answer
        return answer

    @staticmethod
    def address(i: int, one: Any) -> str:
        if not isinstance(one, dict) or not isinstance(one.get("to"), str):
            raise Invalid(f"recipient {i} has no address", code="address_invalid")
        return str(one["to"])


class Uploads:
    def __init__(self, room: Room) -> None:
        self.room = room
        self.came: list[int] = []
        self.broken: list[BaseException] = []
        self.asked: list[tuple[str, str | None]] = []

    async def put_part(
        self,
        asker: Asker,
        session_id: str,
        part: int,
        chunks: AsyncIterator[bytes],
        *,
        content_type: str,
        delimiter: str | None,
        digest: bytes | None,
        line_offset: int,
    ) -> PartView:
        view = self.room.session(asker, session_id)
        if view.state != "staging":
            raise WrongState("the session has started", current=view.state)
        self.asked.append((content_type, delimiter))
        body = bytearray()
        try:
            async for chunk in chunks:
                self.came.append(len(chunk))
                body += chunk
        except BaseException as error:
            self.broken.append(error)
            raise
        sum256 = hashlib.sha256(body).digest()
        if digest is not None and sum256 != digest:
            raise Invalid("the body changed on the way", code="digest_mismatch")
        rows = len(body.splitlines())
        stored = PartView(part=part, recipients=rows, batches=1, flaws=0, digest=sum256.hex())
        self.room.parts[session_id, part] = stored, bytes(body)
        return stored

    async def parts(self, asker: Asker, session_id: str) -> list[PartView]:
        self.room.session(asker, session_id)
        return [view for (of, _), (view, _) in sorted(self.room.parts.items()) if of == session_id]

    async def start(self, asker: Asker, session_id: str, *, parts: int, recipients: int) -> SessionView:
        there = await self.parts(asker, session_id)
        if (len(there), sum(one.recipients for one in there)) != (parts, recipients):
            raise Conflict("what is there is something else", code="parts_mismatch")
        return self.room.move(asker, session_id, state="running", total=recipients, to_go=recipients)


class Control:
    def __init__(self, room: Room) -> None:
        self.room = room
        self.redrives: list[Redrive] = []

    async def pause(self, asker: Asker, session_id: str, reason: str | None) -> SessionView:
        return self.to(asker, session_id, "paused", pause_reason=reason)

    async def resume(self, asker: Asker, session_id: str) -> SessionView:
        return self.to(asker, session_id, "running")

    async def cancel(self, asker: Asker, session_id: str) -> SessionView:
        return self.to(asker, session_id, "cancelled")

    async def redrive(self, asker: Asker, session_id: str, redrive: Redrive) -> SessionView:
        view = self.room.session(asker, session_id)
        if view.state not in FINISHED_SESSION:
            raise WrongState("it still runs", current=view.state)
        self.redrives.append(redrive)
        return self.room.move(asker, session_id, state="running", round=view.round + 1)

    def to(self, asker: Asker, session_id: str, state: str, **changes: Any) -> SessionView:
        view = self.room.session(asker, session_id)
        if view.state in FINISHED_SESSION and view.state != state:
            raise WrongState(f"a {view.state} session can't be {state}", current=view.state)
        return self.room.move(asker, session_id, state=state, **changes)


class Accounts:
    def __init__(self, room: Room) -> None:
        self.room = room
        self.waited: list[float] = []
        self.looked = 0

    async def session(self, asker: Asker, session_id: str) -> SessionView:
        self.looked += 1
        return self.room.session(asker, session_id)

    async def sessions(self, asker: Asker, *, limit: int, cursor: str | None, state: str | None) -> Page[SessionView]:
        mine = [view for (workspace, _), view in self.room.sessions.items() if workspace == asker.workspace]
        return paged([view for view in reversed(mine) if state in (None, view.state)], limit, cursor)

    async def recipients(
        self,
        asker: Asker,
        session_id: str,
        *,
        state: str | None,
        reason_class: str | None,
        code: str | None,
        limit: int,
        cursor: str | None,
    ) -> Page[RecipientView]:
        self.room.session(asker, session_id)
        people = self.room.people[asker.workspace, session_id]
        chosen = [self.room.shown(asker, one) for one in people if state in (None, one.state)]
        return paged([one for one in chosen if reason_class is None or one.reason], limit, cursor)

    async def batches(
        self, asker: Asker, session_id: str, *, state: str | None, limit: int, cursor: str | None
    ) -> Page[BatchView]:
        view = self.room.session(asker, session_id)
        raw = ids.read(ids.SESSION, session_id)
        numbers = range(1, view.batches["total"] + 1)
        return paged(
            [batch_view(ids.batch_id(raw, no), no) for no in numbers if state in (None, "ready")], limit, cursor
        )

    async def recipient(self, asker: Asker, recipient_id: str) -> TimelineView:
        ids.read(ids.RECIPIENT, recipient_id, 28)
        for (workspace, session_id), people in self.room.people.items():
            for one in people:
                if one.id == recipient_id and workspace == asker.workspace:
                    return self.timeline(asker, session_id, one)
        raise Missing(f"there is no recipient {recipient_id}")

    async def settled(self, asker: Asker, recipient_id: str, timeout: float) -> TimelineView:  # noqa: ASYNC109
        self.waited.append(timeout)
        found = await self.recipient(asker, recipient_id)
        done = msgspec.structs.replace(found.recipient, state="accepted", attempts=1)
        return msgspec.structs.replace(found, recipient=done)

    async def search(self, asker: Asker, to: str, *, session: str | None, since: float | None) -> list[TimelineView]:
        mine = [(sid, one) for (w, sid), people in self.room.people.items() if w == asker.workspace for one in people]
        return [
            self.timeline(asker, sid, one)
            for sid, one in mine
            if self.room.addresses[one.id] == to and session in (None, sid)
        ]

    def timeline(self, asker: Asker, session_id: str, one: RecipientView) -> TimelineView:
        view = self.room.session(asker, session_id)
        attempt = AttemptView(
            round=1, token=1, provider="mail", outcome="ok", code="250", text="", started_at=NOW, ended_at=NOW
        )
        return TimelineView(
            recipient=self.room.shown(asker, one),
            session_state=view.state,
            template=view.template,
            created_at=view.created_at,
            attempts=[attempt],
        )


def batch_view(batch_id: str, no: int) -> BatchView:
    return BatchView(
        id=batch_id, no=no, state="ready", size=5, round=1, claims=0, losses=0, effects="none", outcomes={"pending": 5}
    )


def paged(items: list[Any], limit: int, cursor: str | None) -> Page[Any]:
    if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
        raise Invalid("this is no cursor of this list", code="cursor_invalid")
    first = int(cursor or 0)
    more = first + limit < len(items)
    return Page(items=items[first : first + limit], next_cursor=str(first + limit) if more else None)


class Providers:
    def __init__(self) -> None:
        self.views: dict[str, ProviderView] = {}
        self.credentials: dict[str, str] = {}

    def kinds(self) -> list[ProviderKindView]:
        return [ProviderKindView(kind="smtp", channel="email", settings_schema={"type": "object"})]

    async def all(self, asker: Asker) -> list[ProviderView]:
        return [self.views[name] for name in sorted(self.views)]

    async def get(self, asker: Asker, name: str) -> ProviderView:
        if name not in self.views:
            raise Missing(f"there is no provider {name!r}")
        return self.views[name]

    async def put(self, asker: Asker, name: str, draft: ProviderDraft) -> ProviderView:
        if name == "filed":
            raise Conflict("it stands in the configuration file", code="managed_by_file")
        if draft.credential is None:
            self.credentials.pop(name, None)
        elif draft.credential is not msgspec.UNSET:
            self.credentials[name] = draft.credential
        described = {"set": True} if name in self.credentials else None
        self.views[name] = ProviderView(
            name=name,
            kind=draft.kind,
            channel="email",
            settings=draft.settings,
            credential=described,
            enabled=draft.enabled,
            paused=None,
            managed_by="api",
        )
        return self.views[name]

    async def test(self, asker: Asker, name: str) -> ProviderView:
        return msgspec.structs.replace(await self.get(asker, name), health={"answers": True})

    async def pause(self, asker: Asker, name: str, reason: str | None) -> ProviderView:
        self.views[name] = msgspec.structs.replace(await self.get(asker, name), paused=reason or "by hand")
        return self.views[name]

    async def resume(self, asker: Asker, name: str) -> ProviderView:
        self.views[name] = msgspec.structs.replace(await self.get(asker, name), paused=None)
        return self.views[name]


class Templates:
    """Drafts and versions; what is wrong with a draft is that it says so."""

    def __init__(self) -> None:
        self.drafts: dict[tuple[int, str], TemplateView] = {}
        self.published: dict[tuple[int, str], list[VersionView]] = {}
        self.previews: list[tuple[Any, ...]] = []

    async def save(self, workspace: int, name: str, draft: TemplateDraft, *, expected: int | None) -> TemplateView:
        broken = [at for at, variant in enumerate(draft.variants) if "{%" in (variant.html or "")]
        if broken:
            fault = Fault(code="template_syntax", detail="x", variant="email.en", part="html", line=3, column=7)
            raise Invalid("x", faults=[fault] * len(broken))
        old = self.drafts.get((workspace, name))
        revision = old.revision if old else 0
        if expected is not None and expected != revision:
            raise Conflict(f"{name} is at revision {revision}, not {expected}", code="stale_revision")
        view = TemplateView(
            id="tpl_1", name=name, revision=revision + 1, published=0, created_at=0.0, updated_at=1.5, draft=draft
        )
        self.drafts[workspace, name] = view
        return view

    async def publish(self, workspace: int, name: str) -> VersionView:
        draft = (await self.get(workspace, name)).draft
        versions = self.published.setdefault((workspace, name), [])
        if not versions or versions[0].draft != draft:
            versions.insert(0, VersionView(name=name, version=len(versions) + 1, published_at=2.0, draft=draft))
        return versions[0]

    async def get(self, workspace: int, name: str) -> TemplateView:
        if (workspace, name) not in self.drafts:
            raise Missing(f"there is no template {name!r}", code="template_unknown")
        return self.drafts[workspace, name]

    async def page(self, workspace: int, limit: int, after: str = "") -> list[TemplateView]:
        names = sorted(name for of, name in self.drafts if of == workspace and name > after)
        return [self.drafts[workspace, name] for name in names[:limit]]

    async def versions(self, workspace: int, name: str) -> list[VersionView]:
        await self.get(workspace, name)
        return self.published.get((workspace, name), [])

    async def preview(
        self,
        workspace: int,
        name: str,
        data: dict[str, Any],
        *,
        channel: Channel,
        locale: str | None,
        version: int | None,
    ) -> Preview:
        await self.get(workspace, name)
        self.previews.append((data, channel, locale, version))
        return Preview(
            channel=channel,
            variant="email.en",
            locale=locale or "en",
            sender="a@example.com",
            to="b@example.com",
            subject="Hello",
            text="Hello",
            text_derived=True,
            html=None,
            bytes=5,
            source="Hello",
        )


class Check(msgspec.Struct):
    name: str
    ok: bool
    detail: str = ""
    remedy: str = ""


class House:
    """All the rooms behind the API, and the application in front of them."""

    def __init__(self) -> None:
        self.room = Room()
        self.keys = Keys()
        self.admission = Admission(self.room)
        self.uploads = Uploads(self.room)
        self.control = Control(self.room)
        self.accounts = Accounts(self.room)
        self.providers = Providers()
        self.templates = Templates()
        self.checks = [Check("store", ok=True, detail="sqlite:////secret/place", remedy="")]
        self.all = self.keys.hold("everything", *PERMISSIONS)
        self.settings = Settings()

    def stages(self, **others: Any) -> Stages:
        async def readiness() -> list[Check]:
            return self.checks

        parts: dict[str, Any] = {
            "admission": self.admission,
            "uploads": self.uploads,
            "control": self.control,
            "accounts": self.accounts,
            "providers": self.providers,
            "templates": self.templates,
            "keys": self.keys,
            "readiness": readiness,
            "metrics": lambda: b"pagerd_up 1\n",
            "settings": self.settings,
        }
        return Stages(**(parts | others))

    def app(self, *, dev: bool = False, **others: Any) -> Litestar:
        return build(self.stages(**others), dev=dev)


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def client(house: House) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(app=house.app(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
async def session_id(client: AsyncTestClient[Litestar], house: House) -> str:
    body = {"template": "hello", "audience": {"recipients": [{"to": "ada@example.com"}, {"to": "bob@example.com"}]}}
    return str((await client.post("/v1/sessions", json=body, headers=house.all)).json()["id"])


@pytest.fixture
async def staged(client: AsyncTestClient[Litestar], house: House) -> str:
    body = {"template": "hello", "audience": {"upload": True}}
    return str((await client.post("/v1/sessions", json=body, headers=house.all)).json()["id"])


class Heard(msgspec.Struct):
    """What an application sent."""

    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[..., Awaitable[Heard]]


@pytest.fixture
def ask(house: House) -> Ask:
    """Ask the application as a server does, message by message: for bodies in pieces and connections that break."""
    app = house.app()

    async def asked(
        method: str, path: str, pieces: list[bytes | None], headers: dict[str, str] | None = None, query: str = ""
    ) -> Heard:
        waiting: Iterator[dict[str, Any]] = iter(_messages(pieces))
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return next(waiting, {"type": "http.disconnect"})

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in {**house.all, **(headers or {})}.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await app(scope, receive, send)  # type: ignore[arg-type]
        body = b"".join(message.get("body", b"") for message in sent[1:])
        heads = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Heard(sent[0]["status"], heads, body)

    return asked


def _messages(pieces: list[bytes | None]) -> list[dict[str, Any]]:
    """Turn pieces of a body into messages; ``None`` is where the connection breaks."""
    last = len(pieces) - 1
    return [
        {"type": "http.disconnect"} if piece is None else {"type": "http.request", "body": piece, "more_body": i < last}
        for i, piece in enumerate(pieces)
    ] or [{"type": "http.request", "body": b"", "more_body": False}]


class HandMoved:
    """A clock that only moves when somebody sleeps, and does something at each sleep."""

    def __init__(self, steps: list[Callable[[], None]]) -> None:
        self.time = 0.0
        self.slept: list[float] = []
        self.steps = steps

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept.append(seconds)
        if self.steps:
            self.steps.pop(0)()

    def pulse(self, **others: Any) -> Pulse:
        return Pulse(sleep=self.sleep, monotonic=self.monotonic, **others)


@pytest.fixture
def hand_moved() -> type[HandMoved]:
    return HandMoved
