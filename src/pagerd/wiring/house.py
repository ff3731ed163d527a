"""A running installation: every room, opened over what the settings name."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.adapters.capture.server import CaptureServer
from pagerd.adapters.files.ring import FileKeyRing
from pagerd.adapters.metrics.logs import LogWatch
from pagerd.adapters.metrics.prometheus import PrometheusWatch
from pagerd.adapters.system.kill import KillAt
from pagerd.adapters.system.time import SystemChance, SystemClock
from pagerd.audience.addresses import checked
from pagerd.audience.channels import known_as
from pagerd.config import Settings
from pagerd.core.errors import Invalid
from pagerd.core.recipients import Flaw
from pagerd.core.requests import ProviderDraft
from pagerd.guard.keys import ApiKeys
from pagerd.guard.revision import Revision
from pagerd.guard.shelf import KeyShelf
from pagerd.health.checks import Checks
from pagerd.ledger.accounts import Accounts
from pagerd.ledger.progress import Progress
from pagerd.ledger.reasons import ReasonBook
from pagerd.ports.failpoints import Failpoint, inert
from pagerd.ports.queue import Queue
from pagerd.render.mail import self_test
from pagerd.route.providers import Providers, Sharing
from pagerd.seal.hierarchy import Seal
from pagerd.session.admission import Admission, Desk
from pagerd.session.answers import Answers
from pagerd.session.asking import Planner
from pagerd.session.control import Control
from pagerd.session.housekeeping import Housekeeper
from pagerd.session.relay import Means, Relay
from pagerd.session.restored import pause_everything
from pagerd.session.turns import Turn
from pagerd.session.uploads import Uploads
from pagerd.templates.library import Templates
from pagerd.wiring.clockwork import Clockwork, Loop, hourly
from pagerd.wiring.identity import identity
from pagerd.wiring.kinds import KINDS
from pagerd.wiring.probes import gauges, probes
from pagerd.wiring.queues import open_queue, watch_lag
from pagerd.wiring.shared import open_shared
from pagerd.wiring.stores import Kept, OpenLedger, OpenStore, open_kept
from pagerd.wiring.watches import Together
from pagerd.wiring.workspace import WORKSPACE
from pagerd.worker.briefs import Briefs
from pagerd.worker.budget import Budget
from pagerd.worker.intake import Intake
from pagerd.worker.lane import Tools
from pagerd.worker.prepare import Preparer
from pagerd.worker.worker import Worker

_NAME_BYTES: Final = 16


class House(msgspec.Struct, frozen=True, kw_only=True):
    """A running installation: what commands and the API call."""

    settings: Settings
    store: OpenStore
    seal: Seal
    book: ReasonBook
    templates: Templates
    providers: Providers
    admission: Admission
    uploads: Uploads
    control: Control
    accounts: Accounts
    keys: ApiKeys
    clockwork: Clockwork
    worker: Worker
    checks: Checks
    metrics: PrometheusWatch
    progress: Progress
    restored: bool
    clock: SystemClock
    ledger: OpenLedger


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What a command adds to the settings: providers of its own, and whether only loopback ones may be used."""

    providers: dict[str, ProviderDraft] = {}
    loopback_only: bool = False


async def open_house(settings: Settings, stack: AsyncExitStack, extras: Extras | None = None) -> House:
    """Return a house whose rooms are open; ``stack`` closes them in the right order.

    The worker and the clockwork are not started yet. Raises :class:`Misconfigured` for what only a person can mend.
    """
    extras = extras or Extras()
    self_test()
    clock, chance = SystemClock(), SystemChance()
    metrics = PrometheusWatch()
    kept = await open_kept(settings, stack)
    ring, seal = await _opened_seal(settings, kept, clock)
    restored = await kept.begin(pause_everything)
    who = await identity(kept.store, chance, restored=restored)
    logs = LogWatch(settings.log)
    shared = await open_shared(settings, who.prefix, clock, logs, stack)
    progress = Progress(shared.bus)
    watch = Together((logs, metrics, progress))
    queue = await open_queue(settings, who.installation, watch, stack)
    revision = Revision(kept.store, clock, chance, shared.bus)

    book = ReasonBook(kept.store)
    await book.load()
    templates = Templates(kept.store, seal.workspace, clock, chance, shared=shared.versions)
    providers = Providers(
        kept.store,
        seal,
        clock,
        chance,
        KINDS,
        loopback_only=extras.loopback_only,
        sharing=Sharing(revision=revision, pace=shared.pace),
    )
    stack.push_async_callback(providers.aclose)
    await providers.load(WORKSPACE, settings.drafts() | extras.providers)
    failpoint: Failpoint = KillAt(settings.testing.failpoint) if settings.testing.failpoint else inert
    accounts = Accounts(kept.store, seal, book, clock, normalised)
    desk = Desk(
        store=kept.store,
        seal=seal,
        planner=Planner(templates, providers, settings.batch_size),
        answers=Answers(kept.store, seal, clock),
        book=book,
        clock=clock,
        chance=chance,
        failpoint=failpoint,
        reserve=settings.disk_reserve,
    )
    housekeeper = Housekeeper(kept.store, seal, book, clock, watch, key_days=settings.key_days)
    name = os.urandom(_NAME_BYTES)
    ledger = kept.ledger(clock, name)
    stack.push_async_callback(ledger.aclose)
    tools = Tools(
        ledger=ledger,
        briefs=Briefs(kept.store, seal, templates),
        preparer=Preparer(seal.index, clock),
        providers=providers,
        book=book,
        budget=Budget(settings.worker.window, settings.worker.urgent_window),
        clock=clock,
        chance=chance,
        watch=watch,
        failpoint=failpoint,
        stopping=asyncio.Event(),
        fence_margin=settings.worker.fence_margin,
    )
    gauges(metrics, kept)
    loops: list[Loop] = [partial(revision.run, watch), progress.run]
    if kept.maintain is not None:
        loops.append(partial(hourly, kept.maintain, clock, watch))
    if queue is not None:
        loops.append(partial(watch_lag, queue, metrics.gauge("pagerd_queue_lag", "Records that wait in the queue.")))
    return House(
        settings=settings,
        store=kept.store,
        seal=seal,
        book=book,
        templates=templates,
        providers=providers,
        admission=Admission(desk),
        uploads=Uploads(desk, accounts, templates),
        control=Control(kept.store, seal, book, accounts, clock, housekeeper.hint),
        accounts=accounts,
        keys=ApiKeys(kept.store, clock, chance, revision, KeyShelf(shared.cache, seal.workspace)),
        clockwork=Clockwork(housekeeper, _relay(kept, tools, queue, name), loops),
        worker=_worker(settings, kept, tools, queue, name),
        checks=Checks(probes(settings, kept, ring, ledger, queue)),
        metrics=metrics,
        progress=progress,
        restored=restored,
        clock=clock,
        ledger=ledger,
    )


async def _opened_seal(settings: Settings, kept: Kept, clock: SystemClock) -> tuple[FileKeyRing, Seal]:
    """Return the key ring and what it opens. A new installation in a file gets its root key here."""
    ring = FileKeyRing(settings.root_key())
    if kept.only_process and not settings.root_key().exists() and not await kept.keystore.workspace_keys(WORKSPACE):
        ring.create()
    return ring, await Seal.open(ring, kept.keystore, clock, WORKSPACE)


def _relay(kept: Kept, tools: Tools, queue: Queue | None, name: bytes) -> Relay | None:
    if queue is None:
        return None
    means = Means(
        store=kept.store,
        ledger=tools.ledger,
        queue=queue,
        clock=tools.clock,
        chance=tools.chance,
        watch=tools.watch,
        failpoint=tools.failpoint,
    )
    return Relay(means, None if kept.only_process else Turn(kept.store, tools.clock, name))


def _worker(settings: Settings, kept: Kept, tools: Tools, queue: Queue | None, name: bytes) -> Worker:
    lanes = settings.worker.lanes
    intake = None if queue is None else Intake(tools, queue, kept.store, name, lanes)
    return Worker(tools, name, lanes=lanes, reserve=settings.worker.urgent_lanes, intake=intake)


def capture(settings: Settings, directory: Path | None) -> tuple[Mailbox, CaptureServer]:
    """Return the capture inbox and its SMTP server, not started yet."""
    mailbox = Mailbox(directory, keep=settings.capture.keep)
    return mailbox, CaptureServer(mailbox, host=settings.capture.host, port=settings.capture.port)


def normalised(to: str) -> str:
    """Return an address as the blind index knows it; raise :class:`Invalid` for what looks like mail and is none."""
    if "@" not in to:
        return known_as(to)
    mailbox = checked(to)
    if isinstance(mailbox, Flaw):
        raise Invalid(mailbox.detail, code=mailbox.code)
    return mailbox.normalised
