"""The window of a process: shared, first come first served, with a reserve for urgent work."""

from __future__ import annotations

import asyncio
import random

import pytest

from pagerd.worker.budget import Budget


class Queue:
    """Takers of a budget, in the order in which they were let in."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.served: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, n: int, *, urgent: bool = False) -> None:
        async def take() -> None:
            await self.budget.take(n, urgent=urgent)
            self.served.append(name)

        self.tasks[name] = asyncio.create_task(take())
        await turns()

    async def give(self, n: int) -> None:
        self.budget.give(n)
        await turns()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_bulk_never_takes_the_reserve_and_urgent_does() -> None:
    queue = Queue(Budget(10, 3))
    assert queue.budget.largest == 7
    await queue.ask("bulk", 7)
    await queue.ask("more bulk", 1)
    assert queue.served == ["bulk"]
    for name in ("u1", "u2", "u3"):
        await queue.ask(name, 1, urgent=True)
    assert queue.served == ["bulk", "u1", "u2", "u3"]
    await queue.ask("u4", 1, urgent=True)
    assert "u4" not in queue.served
    await queue.give(7)
    assert set(queue.served[4:]) == {"u4", "more bulk"}


async def test_bulk_is_served_in_the_order_it_came_so_that_a_large_one_is_not_overtaken_for_ever() -> None:
    queue = Queue(Budget(10, 0))
    await queue.ask("first", 8)
    await queue.ask("large", 6)
    await queue.ask("small", 1)
    assert queue.served == ["first"], "two are free, but the large one came first"
    await queue.give(8)
    assert queue.served == ["first", "large", "small"]


async def test_urgent_work_does_not_wait_behind_bulk_that_does_not_fit() -> None:
    queue = Queue(Budget(10, 2))
    await queue.ask("bulk", 8)
    await queue.ask("u1", 1, urgent=True)
    await queue.ask("u2", 1, urgent=True)
    await queue.ask("waiting bulk", 5)
    await queue.ask("u3", 1, urgent=True)
    await queue.give(1)  # u1 is done: one of the reserve is free, nothing for bulk
    assert queue.served == ["bulk", "u1", "u2", "u3"]
    await queue.give(8)
    assert queue.served[-1] == "waiting bulk"


async def test_who_gives_up_waiting_leaves_no_trace_and_lets_the_next_one_in() -> None:
    queue = Queue(Budget(10, 0))
    await queue.ask("first", 5)
    await queue.ask("large", 8)
    await queue.ask("small", 5)
    queue.tasks["large"].cancel()
    await turns()
    assert queue.served == ["first", "small"]
    await queue.give(10)
    await queue.ask("all", 10)
    assert queue.served[-1] == "all"


async def test_who_is_cancelled_just_after_being_let_in_gives_back() -> None:
    queue = Queue(Budget(4, 0))
    await queue.ask("first", 4)
    await queue.ask("second", 4)
    queue.budget.give(4)  # the second one is let in, but has not run yet
    queue.tasks["second"].cancel()
    await turns()
    assert queue.served == ["first"]
    await queue.ask("third", 4)
    assert queue.served == ["first", "third"]


@pytest.mark.parametrize(("window", "reserve", "largest"), [(1, 0, 1), (1, 5, 1), (2, 5, 1), (200, 16, 184)])
async def test_even_the_smallest_window_lets_one_through(window: int, reserve: int, largest: int) -> None:
    budget = Budget(window, reserve)
    assert budget.largest == largest
    await asyncio.wait_for(budget.take(largest, urgent=False), 1)


async def test_never_more_than_the_window_is_out() -> None:
    chance = random.Random(7)
    budget, out, peak = Budget(20, 4), 0, 0
    done = 0

    async def user(urgent: bool) -> None:
        nonlocal out, peak, done
        n = 1 if urgent else chance.randint(1, budget.largest)
        await budget.take(n, urgent=urgent)
        out += n
        peak = max(peak, out)
        try:
            for _ in range(chance.randint(0, 3)):
                await asyncio.sleep(0)
        finally:
            out -= n
            budget.give(n)
            done += 1

    tasks = [asyncio.create_task(user(chance.random() < 0.3)) for _ in range(300)]
    for task in chance.sample(tasks, 60):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(tasks, timeout=10)
    assert all(task.done() for task in tasks)
    assert done > 200
    assert 15 < peak <= 20
    await asyncio.wait_for(budget.take(budget.largest, urgent=False), 1)
