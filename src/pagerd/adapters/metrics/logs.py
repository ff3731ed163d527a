"""Structured logs: one line of JSON a batch, allow-listed fields, no personal data."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import msgspec
import structlog

from pagerd.core.errors import PagerError
from pagerd.ports.watch import BatchDone

LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_ENCODE: Final = msgspec.json.Encoder(enc_hook=str).encode


def configure(level: str, *, for_people: bool) -> None:
    """Send logs to standard error: as JSON lines, or in words where a person watches a terminal."""
    last: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if for_people else _json
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)


def _json(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODE(event).decode()


class _Forward(logging.Handler):
    """What libraries log goes the same way, by name and message only."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        log.log(record.levelno, "library", name=record.name, message=record.getMessage()[:300], error=kind)


class LogWatch:
    """Implements ``ports.watch.Watch``."""

    def __init__(self, level: str = "info") -> None:
        """``level`` is what :func:`configure` was given: above ``info`` a batch's line is not even put together."""
        self._lines = LEVELS[level] <= LEVELS["info"]
        self._log = structlog.get_logger()

    def batch_done(self, done: BatchDone) -> None:
        """Write the one line of a batch."""
        if not self._lines:
            return
        self._log.info(
            "batch",
            session=done.session,
            no=done.no,
            token=done.token,
            state=done.state.word,
            people=done.people,
            outcomes=dict(done.kinds),
            provider=done.provider,
            ms=round(done.seconds * 1000, 1),
        )

    def claimed(self, batches: int) -> None:
        """Say nothing: the batches will have lines of their own."""

    def trouble(self, what: str, error: BaseException) -> None:
        """Say what went wrong: an error of Pager's by its words, any other by its kind and place alone."""
        if isinstance(error, PagerError):
            self._log.error("trouble", what=what, code=error.code)
        else:
            self._log.error("trouble", what=what, error=type(error).__name__, at=_place(error))


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('pagerd/')[2]}:{trace.tb_lineno} {code.co_name}"
