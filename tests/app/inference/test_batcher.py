import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence

import pytest

from nextvec.app.errors import NotReadyError, OverloadedError
from nextvec.app.inference.batcher import Batcher

Numbers = Batcher[int, int]


class Gate:
    """Holds the thread inside a call until it is opened."""

    def __init__(self) -> None:
        self._opened, self.entered = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self._opened.wait(10)

    def open(self) -> None:
        self._opened.set()


def batches_of(
    scenario: Callable[[Numbers, Gate], Awaitable[None]],
    *,
    max_batch: int = 4,
    max_queue: int = 8,
) -> list[list[int]]:
    """Run a scenario whose thread is held by a gate; return the batches computed."""
    seen: list[list[int]] = []

    def run(items: Sequence[int]) -> list[int]:
        seen.append(list(items))
        if -1 in items:
            msg = "poison"
            raise RuntimeError(msg)
        return [10 * item for item in items]

    async def main() -> None:
        sizes: list[int] = []
        batcher = Batcher(
            run,
            max_batch=max_batch,
            max_queue=max_queue,
            on_batch=lambda size, _: sizes.append(size),
        )
        batcher.start()
        gate = Gate()
        try:
            held = batcher.call(gate)
            await asyncio.to_thread(gate.entered.wait, 10)
            await scenario(batcher, gate)
            await held
        finally:
            gate.open()
            batcher.stop()

    asyncio.run(main())
    return seen


async def _queued(batcher: Numbers, items: Sequence[int]) -> list[asyncio.Task[object]]:
    tasks = [asyncio.create_task(_answer(batcher, item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def _answer(batcher: Numbers, item: int) -> object:
    ((answer, queued_s),) = await batcher.submit([item])
    assert queued_s >= 0
    return answer


def test_what_waits_becomes_one_batch_in_order() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        tasks = await _queued(batcher, [1, 2, 3])
        gate.open()
        assert await asyncio.gather(*tasks) == [10, 20, 30]

    assert batches_of(scenario) == [[1, 2, 3]]


def test_a_batch_is_never_larger_than_allowed() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        tasks = await _queued(batcher, range(6))
        gate.open()
        await asyncio.gather(*tasks)

    assert batches_of(scenario, max_batch=4) == [[0, 1, 2, 3], [4, 5]]


def test_a_full_queue_refuses_at_once() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        tasks = await _queued(batcher, range(3))
        with pytest.raises(OverloadedError, match="3 requests are waiting"):
            await batcher.submit([4])
        assert batcher.depth == 3
        gate.open()
        await asyncio.gather(*tasks)

    assert batches_of(scenario, max_queue=3) == [[0, 1, 2]]


def test_a_cancelled_request_is_never_computed() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        tasks = await _queued(batcher, [1, 2])
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        assert batcher.depth == 1
        gate.open()
        assert await tasks[1] == 20

    assert batches_of(scenario) == [[2]]


def test_one_poisoned_request_fails_alone() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        tasks = await _queued(batcher, [1, -1, 3])
        gate.open()
        good, bad, also_good = await asyncio.gather(*tasks, return_exceptions=True)
        assert (good, also_good) == (10, 30)
        assert isinstance(bad, RuntimeError)

    assert batches_of(scenario) == [[1, -1, 3], [1], [-1], [3]]


def test_the_items_of_one_request_share_batches_with_others() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        first = await _queued(batcher, [1])
        several = asyncio.create_task(batcher.submit([2, 3, 4, 5]))
        await asyncio.sleep(0)
        last = await _queued(batcher, [6])
        gate.open()
        assert [answer for answer, _ in await several] == [20, 30, 40, 50]
        assert await asyncio.gather(*first, *last) == [10, 60]

    assert batches_of(scenario, max_batch=4) == [[1, 2, 3, 4], [5, 6]]


def test_a_request_waits_whole_or_not_at_all() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        tasks = await _queued(batcher, [1])
        with pytest.raises(OverloadedError, match=r"1 requests .* and 3 more would"):
            await batcher.submit([2, 3, 4])
        assert batcher.depth == 1
        gate.open()
        await asyncio.gather(*tasks)

    assert batches_of(scenario, max_queue=3) == [[1]]


def test_of_a_request_that_failed_nothing_more_is_computed() -> None:
    seen: list[int] = []
    gate = Gate()

    def run(items: Sequence[int]) -> list[int]:
        (item,) = items
        seen.append(item)
        if item == -1:
            msg = "poison"
            raise RuntimeError(msg)
        if item == 1:
            gate()
        return [10 * item]

    async def main() -> None:
        batcher = Batcher(run, max_batch=1, max_queue=8, on_batch=lambda *_: None)
        batcher.start()
        try:
            with pytest.raises(RuntimeError, match="poison"):
                await batcher.submit([-1, 1, 2, 3])
            assert batcher.depth == 0
            gate.open()
            assert await _answer(batcher, 4) == 40
        finally:
            gate.open()
            batcher.stop()

    asyncio.run(main())

    assert not {2, 3} & set(seen)


def test_of_several_errors_of_one_request_none_is_left_unheard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    unheard: list[dict[str, object]] = []
    # a record would keep the first error, and through it all the others
    caplog.set_level(logging.CRITICAL, "nextvec.app.inference.batcher")

    async def scenario(batcher: Numbers, gate: Gate) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, told: unheard.append(told)
        )
        several = asyncio.create_task(batcher.submit([1, -1, -1]))
        await asyncio.sleep(0)
        gate.open()
        with pytest.raises(RuntimeError, match="poison"):
            await several
        del several
        # so that the thread has let go of them
        assert await _answer(batcher, 2) == 20
        # a future tells what nobody asked it for when it goes
        gc.collect()

    assert batches_of(scenario) == [[1, -1, -1], [1], [-1], [-1], [2]]
    assert unheard == []


def test_a_cancelled_request_leaves_with_all_of_its_items() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        several = asyncio.create_task(batcher.submit([1, 2, 3]))
        await asyncio.sleep(0)
        tasks = await _queued(batcher, [4])
        several.cancel()
        await asyncio.wait([several])
        assert batcher.depth == 1
        gate.open()
        assert await tasks[0] == 40

    assert batches_of(scenario) == [[4]]


def test_background_steps_give_way_to_requests() -> None:
    order: list[str] = []

    async def scenario(batcher: Numbers, gate: Gate) -> None:
        def steps() -> Generator[None, None, str]:
            for step in range(3):
                order.append(f"step {step}")
                yield
            return "done"

        background = batcher.background(steps())
        tasks = await _queued(batcher, [1])
        tasks[0].add_done_callback(lambda _: None)
        gate.open()
        assert await background == "done"
        assert await tasks[0] == 10

    seen = batches_of(scenario)

    # the request was queued after the steps, and was computed before any of them
    assert seen == [[1]]
    assert order == ["step 0", "step 1", "step 2"]


def test_a_failing_step_reaches_who_waits_and_the_thread_lives_on() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        def steps() -> Generator[None, None, None]:
            yield
            msg = "broken step"
            raise RuntimeError(msg)

        gate.open()
        with pytest.raises(RuntimeError, match="broken step"):
            await batcher.background(steps())
        assert await _answer(batcher, 2) == 20

    assert batches_of(scenario) == [[2]]


def test_background_work_nobody_waits_for_is_dropped() -> None:
    async def scenario(batcher: Numbers, gate: Gate) -> None:
        def steps() -> Generator[None, None, None]:
            while True:
                yield

        background = asyncio.ensure_future(batcher.background(steps()))
        background.cancel()
        gate.open()
        assert await _answer(batcher, 5) == 50

    assert batches_of(scenario) == [[5]]


def test_stopping_fails_what_still_waits() -> None:
    async def main() -> None:
        batcher: Numbers = Batcher(
            list, max_batch=4, max_queue=8, on_batch=lambda *_: None
        )
        batcher.start()
        gate = Gate()
        held = batcher.call(gate)
        await asyncio.to_thread(gate.entered.wait, 10)
        waiting = asyncio.create_task(_answer(batcher, 1))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(asyncio.to_thread(batcher.stop))
        await asyncio.sleep(0.01)
        gate.open()
        await stopping
        await held
        with pytest.raises(NotReadyError, match="shutting down"):
            await waiting
        with pytest.raises(NotReadyError, match="not running"):
            await batcher.submit([2])

    asyncio.run(main())


def test_background_steps_get_on_in_turn_while_requests_wait() -> None:
    order: list[tuple[str, int]] = []

    async def scenario(batcher: Numbers, gate: Gate) -> None:
        def steps(name: str) -> Generator[None, None, None]:
            for _ in range(2):
                order.append((name, batcher.depth))
                yield

        both = [batcher.background(steps(name)) for name in ("a", "b")]
        waiting = await _queued(batcher, [1] * 5)
        gate.open()
        await asyncio.gather(*both, *waiting)

    batches_of(scenario, max_batch=1)

    assert [name for name, _ in order] == ["a", "b", "a", "b"]
    # after one request, while the others still waited
    assert order[0][1] == 4
