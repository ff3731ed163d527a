"""The only place where a stage meets an adapter: settings become a running house."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.adapters.capture.server import CaptureServer
from pagerd.adapters.files.ring import FileKeyRing
from pagerd.adapters.metrics.logs import LogWatch
from pagerd.adapters.metrics.prometheus import PrometheusWatch
from pagerd.adapters.smtp.kind import KIND as SMTP
from pagerd.adapters.sql.keystore import SqliteKeyStore
from pagerd.adapters.sql.sqlite.epoch import Epoch
from pagerd.adapters.sql.sqlite.ledger import LeaseTimes, SqliteLedger
from pagerd.adapters.sql.sqlite.store import SqliteStore, migrated
from pagerd.adapters.system.kill import KillAt
from pagerd.adapters.system.lock import DirectoryLock
from pagerd.adapters.system.time import SystemChance, SystemClock
from pagerd.audience.addresses import checked
from pagerd.config import Settings
from pagerd.core.errors import Invalid, Unavailable
from pagerd.core.recipients import Flaw
from pagerd.core.requests import ProviderDraft
from pagerd.guard.keys import ApiKeys
from pagerd.health.checks import Checks, Probe
from pagerd.ledger.accounts import Accounts
from pagerd.ledger.reasons import ReasonBook
from pagerd.ports.failpoints import Failpoint, inert
from pagerd.ports.watch import BatchDone, Watch
from pagerd.render.mail import self_test
from pagerd.route.providers import Providers
from pagerd.seal.hierarchy import Seal
from pagerd.session.admission import Admission, Desk
from pagerd.session.answers import Answers
from pagerd.session.asking import Planner
from pagerd.session.control import Control
from pagerd.session.housekeeping import Housekeeper
from pagerd.session.restored import pause_everything
from pagerd.session.uploads import Uploads
from pagerd.templates.library import Templates
from pagerd.worker.briefs import Briefs
from pagerd.worker.budget import Budget
from pagerd.worker.lane import Tools
from pagerd.worker.prepare import Preparer
from pagerd.worker.worker import Worker

WORKSPACE: Final = 1
"""The one workspace of this release."""
KINDS: Final = {SMTP.name: SMTP}


class Both(msgspec.Struct, frozen=True):
    """Tells every watch."""

    watches: tuple[Watch, ...]

    def batch_done(self, done: BatchDone) -> None:
        """Tell all."""
        for watch in self.watches:
            watch.batch_done(done)

    def claimed(self, batches: int) -> None:
        """Tell all."""
        for watch in self.watches:
            watch.claimed(batches)

    def trouble(self, what: str, error: BaseException) -> None:
        """Tell all."""
        for watch in self.watches:
            watch.trouble(what, error)


class House(msgspec.Struct, frozen=True, kw_only=True):
    """A running installation: what commands and the API call."""

    settings: Settings
    store: SqliteStore
    keystore: SqliteKeyStore
    seal: Seal
    book: ReasonBook
    templates: Templates
    providers: Providers
    admission: Admission
    uploads: Uploads
    control: Control
    accounts: Accounts
    keys: ApiKeys
    housekeeper: Housekeeper
    worker: Worker
    checks: Checks
    metrics: PrometheusWatch
    restored: bool
    clock: SystemClock
    ledger: SqliteLedger

    async def stop_working(self) -> None:
        """Stop claiming, wait for answers up to the drain limit, let go."""
        await self.housekeeper.stop()
        await self.worker.stop(self.settings.worker.drain)


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What a command adds to the settings: providers of its own, and whether only loopback ones may be used."""

    providers: dict[str, ProviderDraft] = {}
    loopback_only: bool = False


async def open_house(settings: Settings, stack: AsyncExitStack, extras: Extras | None = None) -> House:
    """Return a house whose rooms are open; ``stack`` closes them in the right order.

    The worker and the housekeeper are not started yet. Raises :class:`Misconfigured` for what only a person can mend.
    """
    extras = extras or Extras()
    self_test()
    database = settings.database()
    lock = DirectoryLock(database.parent.absolute())
    stack.callback(lock.release)
    clock, chance = SystemClock(), SystemChance()
    migrated(database)
    store = SqliteStore(database)
    stack.push_async_callback(store.aclose)
    keystore = SqliteKeyStore(database.with_name("keys.db"))
    stack.push_async_callback(keystore.aclose)
    ring = FileKeyRing(settings.root_key())
    if not settings.root_key().exists() and not await keystore.workspace_keys(WORKSPACE):
        ring.create()
    seal = await Seal.open(ring, keystore, clock, WORKSPACE)
    restored = await Epoch(database).begin(store, pause_everything)

    book = ReasonBook(store)
    await book.load()
    metrics = PrometheusWatch()
    watch = Both((LogWatch(), metrics))
    templates = Templates(store, seal.workspace, clock, chance)
    providers = Providers(store, seal, clock, chance, KINDS, loopback_only=extras.loopback_only)
    stack.push_async_callback(providers.aclose)
    await providers.load(WORKSPACE, settings.drafts() | extras.providers)
    failpoint: Failpoint = KillAt(settings.testing.failpoint) if settings.testing.failpoint else inert
    accounts = Accounts(store, seal, book, clock, normalised)
    desk = Desk(
        store=store,
        seal=seal,
        planner=Planner(templates, providers, settings.batch_size),
        answers=Answers(store, seal, clock),
        book=book,
        clock=clock,
        chance=chance,
        failpoint=failpoint,
        reserve=settings.disk_reserve,
    )
    housekeeper = Housekeeper(store, seal, book, clock, watch, key_days=settings.key_days)
    name = os.urandom(16)
    times = LeaseTimes(length=settings.worker.lease, renew=settings.worker.renew)
    ledger = SqliteLedger(store, clock, name, times)
    stack.push_async_callback(ledger.aclose)
    tools = Tools(
        ledger=ledger,
        briefs=Briefs(store, seal, templates),
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
    _gauges(metrics, store)
    return House(
        settings=settings,
        store=store,
        keystore=keystore,
        seal=seal,
        book=book,
        templates=templates,
        providers=providers,
        admission=Admission(desk),
        uploads=Uploads(desk, accounts, templates),
        control=Control(store, seal, book, accounts, clock, housekeeper.hint),
        accounts=accounts,
        keys=ApiKeys(store, clock, chance),
        housekeeper=housekeeper,
        worker=Worker(tools, name, lanes=settings.worker.lanes, reserve=settings.worker.urgent_lanes),
        checks=Checks(_probes(settings, store, keystore, ring, ledger)),
        metrics=metrics,
        restored=restored,
        clock=clock,
        ledger=ledger,
    )


def capture(settings: Settings, directory: Path | None) -> tuple[Mailbox, CaptureServer]:
    """Return the capture inbox and its SMTP server, not started yet."""
    mailbox = Mailbox(directory, keep=settings.capture.keep)
    return mailbox, CaptureServer(mailbox, host=settings.capture.host, port=settings.capture.port)


def normalised(to: str) -> str:
    """Return an address as the blind index knows it; raise :class:`Invalid` for what is none."""
    mailbox = checked(to)
    if isinstance(mailbox, Flaw):
        raise Invalid(mailbox.detail, code=mailbox.code)
    return mailbox.normalised


def _probes(
    settings: Settings, store: SqliteStore, keystore: SqliteKeyStore, ring: FileKeyRing, ledger: SqliteLedger
) -> Sequence[Probe]:
    async def disk() -> None:
        free = store.spare()
        if free < settings.disk_reserve:
            raise Unavailable(
                f"{free // 2**20} MiB are free, below the reserve of {settings.disk_reserve // 2**20} MiB: "
                "nothing new is admitted",
                code="disk_low",
            )

    return [
        ("store", ledger.ping, "Look at the server's log for the disk's error."),
        ("keys", keystore.ping, "keys.db must stand beside the database: restore it from its own backup."),
        ("key_ring", ring.ping, "Put the root key file back."),
        ("disk", disk, "Free some space on the disk of the data directory."),
    ]


def _gauges(metrics: PrometheusWatch, store: SqliteStore) -> None:
    seen = store.statistics
    metrics.gauge("pagerd_store_commits", "Commits of the writer.", lambda: seen.commits)
    metrics.gauge("pagerd_store_jobs", "Jobs that shared those commits.", lambda: seen.jobs)
    metrics.gauge(
        "pagerd_store_longest_transaction_seconds", "Longest write transaction.", lambda: seen.longest_transaction
    )
    metrics.gauge("pagerd_store_longest_commit_seconds", "Longest commit.", lambda: seen.longest_commit)
    metrics.gauge("pagerd_store_spare_bytes", "Bytes that the disk has left.", store.spare)
