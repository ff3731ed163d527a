"""Prometheus metrics: what a worker does, and what waits. No label names a person or an address."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from pagerd.core.states import FINISHED_BATCH
from pagerd.ports.watch import BatchDone


class PrometheusWatch:
    """Implements ``ports.watch.Watch``; :meth:`page` is what ``/metrics`` answers."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._registry = registry
        self._known: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._claimed = Counter("pagerd_batches_claimed", "Batches claimed.", registry=registry)
        self._batches = Counter("pagerd_batches_done", "Claims of batches that ended.", ["state"], registry=registry)
        self._outcomes = Counter(
            "pagerd_outcomes", "What providers said about messages.", ["provider", "kind"], registry=registry
        )
        self._seconds = Histogram(
            "pagerd_batch_seconds",
            "Seconds from a batch's claim to its end.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self._troubles = Counter(
            "pagerd_troubles", "Things that went wrong that no caller heard of.", registry=registry
        )

    def gauge(self, name: str, words: str, read: Callable[[], float]) -> None:
        """Show a number that is read when somebody asks."""
        Gauge(name, words, registry=self._registry).set_function(read)

    def batch_done(self, done: BatchDone) -> None:
        """Count a batch and its outcomes."""
        self._counter(self._batches, done.state.word if done.state in FINISHED_BATCH else "put_off").inc()
        for kind, n in done.kinds.items():
            self._counter(self._outcomes, done.provider or "none", kind).inc(n)
        self._seconds.observe(done.seconds)

    def _counter(self, family: Counter, *labels: str) -> Counter:
        """Return the counter of these labels; the library's own look-up costs more than counting."""
        found = self._known.get((family, labels))
        if found is None:
            found = self._known[family, labels] = family.labels(*labels)
        return found

    def claimed(self, batches: int) -> None:
        """Count claims."""
        self._claimed.inc(batches)

    def trouble(self, what: str, error: BaseException) -> None:
        """Count a trouble; the log says which."""
        del what, error
        self._troubles.inc()

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
