"""What `/readyz` asks, and the gauges of what the house stands on."""

from __future__ import annotations

from collections.abc import Sequence

from pagerd.adapters.files.ring import FileKeyRing
from pagerd.adapters.metrics.prometheus import PrometheusWatch
from pagerd.config import Settings
from pagerd.core.errors import Unavailable
from pagerd.health.checks import Probe
from pagerd.ports.ledger import Ledger
from pagerd.ports.queue import Queue
from pagerd.wiring.stores import Kept


def probes(settings: Settings, kept: Kept, ring: FileKeyRing, ledger: Ledger, queue: Queue | None) -> Sequence[Probe]:
    """Return what must be well for requests to be served. Redis is not: Pager goes on without it."""

    async def disk() -> None:
        free = kept.store.spare()
        if free < settings.disk_reserve:
            raise Unavailable(
                f"{free // 2**20} MiB are free, below the reserve of {settings.disk_reserve // 2**20} MiB: "
                "nothing new is admitted",
                code="disk_low",
            )

    found: list[Probe] = [
        ("store", ledger.ping, "Look at the server's log for the store's error."),
        ("keys", kept.keystore.ping, "The key store must be there: restore it from its own backup."),
        ("key_ring", ring.ping, "Put the root key file back."),
        ("disk", disk, "Free some space on the disk of the data directory."),
    ]
    if queue is not None:
        found.append(("queue", queue.ping, "Look at the broker. Requests are admitted meanwhile, and sent later."))
    return found


def gauges(metrics: PrometheusWatch, kept: Kept) -> None:
    """Show what the store's one writer does, where there is one."""
    if kept.sqlite is None:
        return
    seen = kept.sqlite.statistics
    metrics.gauge("pagerd_store_commits", "Commits of the writer.", lambda: seen.commits)
    metrics.gauge("pagerd_store_jobs", "Jobs that shared those commits.", lambda: seen.jobs)
    metrics.gauge(
        "pagerd_store_longest_transaction_seconds", "Longest write transaction.", lambda: seen.longest_transaction
    )
    metrics.gauge("pagerd_store_longest_commit_seconds", "Longest commit.", lambda: seen.longest_commit)
    metrics.gauge("pagerd_store_spare_bytes", "Bytes that the disk has left.", kept.store.spare)
