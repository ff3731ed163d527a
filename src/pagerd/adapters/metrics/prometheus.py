"""Prometheus metrics: what a worker does, and what waits. No label names a person or an address.

What is counted per batch is kept as plain numbers, and handed to the library when somebody asks for the page: its own
counters cost ten times as much to move.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from pagerd.core.states import FINISHED_BATCH, BatchState
from pagerd.ports.watch import BatchDone

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class PrometheusWatch:
    """Implements ``ports.watch.Watch``; :meth:`page` is what ``/metrics`` answers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._claimed = 0
        self._troubles = 0
        self._states: Counter[BatchState] = Counter()
        self._kinds: Counter[tuple[str, str]] = Counter()
        self._buckets = [0] * (len(_BUCKETS) + 1)
        self._seconds = 0.0
        self._registry.register(self)

    def gauge(self, name: str, words: str, read: Callable[[], float] | None = None) -> Callable[[float], None]:
        """Show a number that is read when somebody asks; without ``read`` the one that was last told.

        Returns what tells it.
        """
        made = Gauge(name, words, registry=self._registry)
        if read is not None:
            made.set_function(read)
        return made.set

    def batch_done(self, done: BatchDone) -> None:
        """Count a batch and its outcomes."""
        self._states[done.state] += 1
        for kind, n in done.kinds.items():
            self._kinds[done.provider or "none", kind] += n
        self._buckets[bisect_left(_BUCKETS, done.seconds)] += 1
        self._seconds += done.seconds

    def claimed(self, batches: int) -> None:
        """Count claims."""
        self._claimed += batches

    def trouble(self, what: str, error: BaseException) -> None:
        """Count a trouble; the log says which."""
        del what, error
        self._troubles += 1

    def collect(self) -> Iterator[Metric]:
        """Yield what was counted, in the library's terms."""
        yield CounterMetricFamily("pagerd_batches_claimed", "Batches claimed.", self._claimed)
        yield CounterMetricFamily("pagerd_troubles", "Things that went wrong that no caller heard of.", self._troubles)
        ended: Counter[str] = Counter()
        for state, n in self._states.items():
            ended[state.word if state in FINISHED_BATCH else "put_off"] += n
        batches = CounterMetricFamily("pagerd_batches_done", "Claims of batches that ended.", labels=["state"])
        for word, n in ended.items():
            batches.add_metric([word], n)
        yield batches
        outcomes = CounterMetricFamily(
            "pagerd_outcomes", "What providers said about messages.", labels=["provider", "kind"]
        )
        for (provider, kind), n in self._kinds.items():
            outcomes.add_metric([provider, str(kind)], n)
        yield outcomes
        yield HistogramMetricFamily(
            "pagerd_batch_seconds", "Seconds from a batch's claim to its end.", self._cumulated(), self._seconds
        )

    def _cumulated(self) -> list[tuple[str, float]]:
        """Return (upper bound, how many took at most that long), as the format wants it."""
        sums, upto = [], 0
        for bound, n in zip((*map(str, _BUCKETS), "+Inf"), self._buckets, strict=True):
            upto += n
            sums.append((bound, float(upto)))
        return sums

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
