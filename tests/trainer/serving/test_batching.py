"""Concurrent pictures are computed together, and nobody's answer changes by it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.inference.card import Card
from trainer.inference.models import load_model
from trainer.serving.batching import Batcher, Policy
from trainer.serving.errors import AnswerError, Fault
from trainer.serving.gate import Gate


class Echo:
    """Answers the first byte of a picture; waits for ``go`` where it is given, falls over 255."""

    card = Card(Path(), "object-detection", (), (2, 2), {})

    def __init__(self, go: threading.Event | None = None) -> None:
        self.go = go
        self.begun = threading.Event()
        self.batches: list[list[int]] = []

    def prepare(self, picture: Any) -> Any:
        raise NotImplementedError

    def infer(self, pixels: Sequence[Any], sizes: Sequence[Any]) -> Any:
        self.batches.append([int(one[0]) for one in pixels])
        self.begun.set()
        if self.go is not None:
            assert self.go.wait(20)
        if any(one[0] == 255 for one in pixels):
            raise ZeroDivisionError
        return [int(one[0]) for one in pixels]


def pixels(*values: int) -> Any:
    return [np.array([value], dtype=np.uint8) for value in values]


async def submit(batcher: Batcher, *values: int) -> Any:
    return await batcher.submit(pixels(*values), [(1, 1)] * len(values))


def run(scenario: Any) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return asyncio.run(scenario(pool))


def test_what_comes_during_a_run_makes_the_next_batch() -> None:
    """And everyone gets the own answer; batches are never larger than the policy says."""
    model, sizes = Echo(threading.Event()), []

    async def scenario(pool: ThreadPoolExecutor) -> None:
        batcher = Batcher(model, pool, Policy(4, 1.0), sizes.append)
        first = asyncio.create_task(submit(batcher, 0))
        await asyncio.to_thread(model.begun.wait, 20)
        others = [asyncio.create_task(submit(batcher, value, value + 100)) for value in (1, 2, 3)]
        while batcher.waiting < 6:
            await asyncio.sleep(0)
        assert model.go is not None
        model.go.set()
        assert await first == [0]
        assert [await other for other in others] == [[1, 101], [2, 102], [3, 103]]
        assert batcher.waiting == 0

    run(scenario)
    assert model.batches == [[0], [1, 101, 2, 102], [3, 103]]
    assert sizes == [1, 4, 2]


def test_as_many_runs_as_there_may_be_stand_beside_each_other() -> None:
    """Two meet in the network, which neither leaves alone; the third waits for one of them."""
    together, most = threading.Barrier(2), []

    class Meeting(Echo):
        running = 0

        def infer(self, pixels: Sequence[Any], sizes: Sequence[Any]) -> Any:
            self.running += 1
            together.wait(20)
            most.append(self.running)
            together.wait(20)
            self.running -= 1
            together.wait(20)
            return super().infer(pixels, sizes)

    model = Meeting()

    async def scenario() -> None:
        with ThreadPoolExecutor(4) as pool:
            batcher = Batcher(model, pool, Policy(1, 0, runs=2), lambda _: None)
            found = await asyncio.gather(*(submit(batcher, value) for value in range(4)))
            assert found == [[0], [1], [2], [3]]

    asyncio.run(scenario())
    assert most == [2, 2, 2, 2]


def test_a_picture_on_its_way_is_waited_for() -> None:
    """One that is being decoded joins the batch of one that is ready."""
    model = Echo()

    async def scenario(pool: ThreadPoolExecutor) -> None:
        batcher = Batcher(model, pool, Policy(8, 20.0), lambda _: None)
        with batcher.announced():
            first = asyncio.create_task(submit(batcher, 1))
            while not batcher.waiting:
                await asyncio.sleep(0)
        assert await submit(batcher, 2) == [2]
        assert await first == [1]

    run(scenario)
    assert model.batches == [[1, 2]]


def test_nobody_waits_longer_than_the_policy_says() -> None:
    """The announced picture never comes."""
    model = Echo()

    async def scenario(pool: ThreadPoolExecutor) -> None:
        batcher = Batcher(model, pool, Policy(8, 0.01), lambda _: None)
        with batcher.announced():
            assert await asyncio.wait_for(submit(batcher, 1), 20) == [1]

    run(scenario)


def test_without_others_nobody_waits_at_all() -> None:
    """An hour of patience costs a single client nothing."""
    model = Echo()

    async def scenario(pool: ThreadPoolExecutor) -> None:
        batcher = Batcher(model, pool, Policy(8, 3600), lambda _: None)
        for value in range(20):
            with batcher.announced():
                await asyncio.sleep(0)
            assert await asyncio.wait_for(submit(batcher, value), 20) == [value]

    run(scenario)


def test_pictures_of_a_client_that_left_are_not_computed() -> None:
    model = Echo(threading.Event())

    async def scenario(pool: ThreadPoolExecutor) -> None:
        batcher = Batcher(model, pool, Policy(1, 0), lambda _: None)
        first = asyncio.create_task(submit(batcher, 1))
        await asyncio.to_thread(model.begun.wait, 20)
        left, stayed = (asyncio.create_task(submit(batcher, value)) for value in (2, 3))
        while batcher.waiting < 2:
            await asyncio.sleep(0)
        left.cancel()
        await asyncio.wait([left])
        assert model.go is not None
        model.go.set()
        assert [await first, await stayed] == [[1], [3]]

    run(scenario)
    assert model.batches == [[1], [3]]


def test_a_run_that_falls_is_told_to_its_own_clients_alone() -> None:
    model = Echo()

    async def scenario(pool: ThreadPoolExecutor) -> None:
        batcher = Batcher(model, pool, Policy(1, 0), lambda _: None)
        found = await asyncio.gather(
            submit(batcher, 1), submit(batcher, 255), submit(batcher, 3), return_exceptions=True
        )
        assert (found[0], type(found[1]), found[2]) == ([1], ZeroDivisionError, [3])
        assert await submit(batcher, 4) == [4]

    run(scenario)


@pytest.mark.parametrize("kind", ["colour_detector", "colour_classifier", "colour_embedder"])
def test_answers_are_those_of_a_picture_alone(kind: str, request: pytest.FixtureRequest) -> None:
    """Within 1e-5, whatever shares the batch."""
    model = load_model(request.getfixturevalue(kind))
    random = np.random.default_rng(4)
    shades = [random.integers(0, 256, 3) for _ in range(24)]
    pictures = [np.broadcast_to(shade, (64, 64, 3)).astype(np.uint8) for shade in shades]
    alone = [next(iter(model.infer([one], [(300, 200)]))).as_answer() for one in pictures]

    async def scenario(pool: ThreadPoolExecutor) -> Any:
        batcher = Batcher(model, pool, Policy(8, 0.05), lambda _: None)
        return await asyncio.gather(*(batcher.submit([one], [(300, 200)]) for one in pictures))

    together = [found.as_answer() for (found,) in run(scenario)]
    assert sum(len(one.get("scores", "x")) for one in together) >= 12
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            if isinstance(value, str):
                assert other[key] == value
            else:
                np.testing.assert_allclose(other[key], value, rtol=0, atol=1e-5)


def gate_scenario(work: Any) -> None:
    asyncio.run(work())


def test_bodies_come_in_while_they_fit_in_the_order_of_arrival() -> None:
    """A small one does not overtake a large one, which would never get its turn otherwise."""
    seen: list[str] = []

    async def scenario() -> None:
        gate = Gate(10, 100)
        done = {name: asyncio.Event() for name in "abcd"}

        async def client(name: str, size: int) -> None:
            async with gate.passed(size):
                seen.append(name)
                await done[name].wait()

        tasks = [asyncio.create_task(client(*one)) for one in (("a", 60), ("b", 30), ("c", 500), ("d", 1))]
        while gate.waiting < 2:
            await asyncio.sleep(0)
        assert seen == ["a", "b"]
        done["a"].set()
        await tasks[0]
        assert seen == ["a", "b"]
        done["b"].set()
        await tasks[1]
        while "c" not in seen:
            await asyncio.sleep(0)
        assert seen == ["a", "b", "c"]
        done["c"].set()
        done["d"].set()
        await asyncio.gather(*tasks)
        assert (seen, gate.under_way, gate.waiting) == (["a", "b", "c", "d"], 0, 0)

    gate_scenario(scenario)


def test_one_request_more_than_there_may_be_is_refused() -> None:
    async def scenario() -> None:
        gate = Gate(1, 100)
        async with gate.passed(1):
            with pytest.raises(AnswerError) as caught:
                async with gate.passed(1):
                    pass
            assert caught.value.fault is Fault.BUSY
        async with gate.passed(1):
            assert gate.under_way == 1

    gate_scenario(scenario)


def test_who_gives_up_waiting_leaves_no_trace() -> None:
    """Before its turn and in the moment of it: the place goes to the next."""

    async def scenario() -> None:
        gate = Gate(10, 100)
        entered = asyncio.Event()

        async def client(size: int) -> None:
            async with gate.passed(size):
                entered.set()

        async with gate.passed(100):
            impatient = asyncio.create_task(client(100))
            in_time = asyncio.create_task(client(100))
            last = asyncio.create_task(client(100))
            while gate.waiting < 3:
                await asyncio.sleep(0)
            impatient.cancel()
            await asyncio.wait([impatient])
            assert gate.waiting == 2
        in_time.cancel()  # its turn has just come
        await asyncio.wait([in_time])
        await asyncio.wait_for(last, 20)
        assert entered.is_set()
        assert (gate.under_way, gate.waiting) == (0, 0)
        async with gate.passed(100):
            pass

    gate_scenario(scenario)
