"""Composing alone: a batch that was lost too often is composed in a child process with limits.

If composing it is what kills workers, it kills the child instead, and the parent counts a loss.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from pagerd.core.policy import SessionSpec
from pagerd.core.templates import TemplateDraft
from pagerd.worker.compose import Composed, Composer, Person

MEMORY: Final = 512 * 2**20
CPU_SECONDS: Final = 10
_PATIENCE: Final = 30.0


class Job(msgspec.Struct, frozen=True, array_like=True):
    """What the child is told over its standard input."""

    draft: TemplateDraft
    spec: SessionSpec
    people: list[Person]
    now: float


async def compose_alone(
    draft: TemplateDraft, spec: SessionSpec, people: Sequence[Person], now: float
) -> Composed | None:
    """Return what a child process composed; ``None`` where it died or did not answer in time."""
    job = msgspec.msgpack.encode(Job(draft, spec, list(people), now))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # nothing from the folder that the server happens to stand in
        "-m",
        "pagerd.worker.solo",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            answer, _ = await child.communicate(job)
    except TimeoutError:
        return None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode != 0:
        return None
    return msgspec.msgpack.decode(answer, type=Composed)


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Compose one job from standard input to standard output, under limits of memory and CPU time."""
    _limit()
    from pagerd.render.compile import compile_template

    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    composed = Composer(compile_template(job.draft), job.spec).compose(job.people, job.now)
    sys.stdout.buffer.write(msgspec.msgpack.encode(composed))


if __name__ == "__main__":
    main()
