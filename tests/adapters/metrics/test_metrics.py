"""What machines watch: counted right, in a form that they read, and nobody's data in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from pagerd.adapters.metrics import logs
from pagerd.adapters.metrics.logs import LogWatch
from pagerd.adapters.metrics.prometheus import PrometheusWatch
from pagerd.core.errors import Unavailable
from pagerd.core.states import BatchState
from pagerd.ports.watch import BatchDone

CANARY = "canary@example.com"


def done(**fields: Any) -> BatchDone:
    given = {
        "session": "ses_1", "no": 3, "token": 2, "state": BatchState.SUCCEEDED, "people": 5,
        "kinds": {"ok": 4, "permanent_address": 1}, "provider": "mail", "seconds": 0.02,
    }  # fmt: skip
    return BatchDone(**(given | fields))


def samples(watch: PrometheusWatch) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(watch.page().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_batches_outcomes_and_troubles_are_counted() -> None:
    watch = PrometheusWatch()
    watch.claimed(7)
    watch.claimed(2)
    watch.batch_done(done())
    watch.batch_done(done(state=BatchState.WAITING, kinds={"transient": 2}))
    watch.batch_done(done(state=BatchState.DEAD, kinds={}, provider=""))
    watch.batch_done(done(state=BatchState.FAILED, kinds={"refused": 5}, provider="", seconds=3.0))
    watch.trouble("x", ValueError(CANARY))
    seen = samples(watch)
    assert seen["pagerd_batches_claimed_total", ()] == 9
    by_state = {labels[0][1]: n for (name, labels), n in seen.items() if name == "pagerd_batches_done_total"}
    assert by_state == {"succeeded": 1, "put_off": 1, "dead": 1, "failed": 1}
    assert seen["pagerd_outcomes_total", (("kind", "ok"), ("provider", "mail"))] == 4
    assert seen["pagerd_outcomes_total", (("kind", "refused"), ("provider", "none"))] == 5
    assert seen["pagerd_batch_seconds_count", ()] == 4
    assert seen["pagerd_batch_seconds_bucket", (("le", "0.025"),)] == 3
    assert seen["pagerd_troubles_total", ()] == 1
    assert CANARY not in watch.page().decode()


def test_a_gauge_is_read_when_somebody_asks() -> None:
    watch, value = PrometheusWatch(), [1.0]
    watch.gauge("pagerd_waiting", "What waits.", lambda: value[0])
    assert samples(watch)["pagerd_waiting", ()] == 1.0
    value[0] = 5.0
    assert samples(watch)["pagerd_waiting", ()] == 5.0


def test_two_watches_in_one_process_do_not_meet() -> None:
    one, two = PrometheusWatch(), PrometheusWatch()
    one.claimed(3)
    assert samples(two)["pagerd_batches_claimed_total", ()] == 0


@pytest.fixture
def configured() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    said = capsys.readouterr()
    assert said.out == "", "logs go to standard error"
    return [json.loads(line) for line in said.err.splitlines()]


@pytest.mark.usefixtures("configured")
def test_a_batch_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", for_people=False)
    watch = LogWatch()
    watch.claimed(5)
    watch.batch_done(done())
    (line,) = lines(capsys)
    assert set(line) == {
        "event", "level", "timestamp", "session", "no", "token", "state", "people", "outcomes", "provider", "ms",
    }  # fmt: skip
    assert (line["event"], line["state"], line["ms"], line["outcomes"]) == (
        "batch",
        "succeeded",
        20.0,
        {"ok": 4, "permanent_address": 1},
    )


@pytest.mark.usefixtures("configured")
def test_a_trouble_is_told_without_what_it_was_about(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", for_people=False)
    watch = LogWatch()
    watch.batch_done(done())
    watch.trouble("the ledger can't be written", Unavailable(f"no room for {CANARY}", code="disk_full"))
    try:
        raise ValueError(f"bad value {CANARY}")
    except ValueError as error:
        watch.trouble("a batch", error)
    watch.trouble("never raised", KeyError(CANARY))
    first, second, third = lines(capsys)
    assert (first["what"], first["code"], first["level"]) == ("the ledger can't be written", "disk_full", "error")
    assert second["error"] == "ValueError"
    assert "test_metrics.py" in second["at"]
    assert third["error"] == "KeyError"
    assert CANARY not in json.dumps([first, second, third])


@pytest.mark.usefixtures("configured")
def test_what_libraries_say_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", for_people=False)
    logging.getLogger("some.library").warning("something %s", "odd")
    logging.getLogger("some.library").info("chatter")
    (line,) = lines(capsys)
    assert (line["event"], line["name"], line["message"], line["level"]) == (
        "library", "some.library", "something odd", "warning",
    )  # fmt: skip


@pytest.mark.usefixtures("configured")
def test_a_person_gets_words(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", for_people=True)
    LogWatch().batch_done(done())
    said = capsys.readouterr().err
    assert "batch" in said
    assert "\x1b" not in said, "no colours off a terminal"
