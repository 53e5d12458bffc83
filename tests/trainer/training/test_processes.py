"""Several processes train as one: the same weights, one voice, and nobody left behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import distributed

from tests.trainer.detection.conftest import draw_rectangles
from trainer.data.load import load_dataset
from trainer.detection.training import DetectionTraining
from trainer.errors import ParameterError
from trainer.parameters.detection import parse
from trainer.training import processes
from trainer.training.hardware import choose_devices

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[3]


def work(rank: int, store: str, answers: Any) -> None:
    """One of two processes; what it found goes back through the queue."""
    distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
    own = [torch.tensor([1.0, 5.0]) * (rank + 1), torch.full((2, 2), float(rank))]
    processes.average(own)
    clock = processes.SharedClock(lambda: 100.0 * (rank + 1))
    clock.tick(torch.device("cpu"))
    gathered = processes.gather((number, f"{number} of {rank}") for number in processes.share(5))
    too_few = processes.gather((number, "both") for number in processes.share(1))
    answers.put((rank, [tensor.tolist() for tensor in own], clock(), gathered, too_few))
    distributed.destroy_process_group()


def test_processes_agree_on_means_time_and_what_was_found(tmp_path: Path) -> None:
    """Five pictures do not divide by two; their order is kept. The clocks of the two are far apart."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    both = [context.Process(target=work, args=(rank, str(tmp_path / "store"), answers)) for rank in range(2)]
    for process in both:
        process.start()
    found = sorted(answers.get(timeout=100) for _ in both)
    for process in both:
        process.join()
    expected = (
        [[1.5, 7.5], [[0.5, 0.5], [0.5, 0.5]]],
        100.0,
        ["0 of 0", "1 of 1", "2 of 0", "3 of 1", "4 of 0"],
        ["both"],
    )
    assert found == [(0, *expected), (1, *expected)]


def test_alone_there_is_nothing_to_agree_on() -> None:
    assert processes.gather([(1, "b"), (0, "a")]) == ["a", "b"]
    assert list(processes.share(3)) == [0, 1, 2]
    now = iter((1.0, 2.0))
    assert processes.SharedClock(lambda: next(now))() == 2.0


@pytest.mark.parametrize(("wanted", "accelerator", "count"), [(0, "cpu", 1), (3, "cpu", 3), (1, "mps", 1)])
def test_devices_are_processes_on_a_cpu(wanted: int, accelerator: str, count: int) -> None:
    assert choose_devices(wanted, accelerator) == count


def test_more_devices_than_there_are_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_devices(0, "gpu") == 2
    with pytest.raises(ParameterError, match="devices: 3, but torch finds 2 GPUs"):
        choose_devices(3, "gpu")
    with pytest.raises(ParameterError, match="devices"):
        choose_devices(2, "mps")


SETTINGS = {
    "train": "0.4", "validation": "0.3", "test": "0.3", "batch_size": "9", "maximum_training_steps": "8",
    "maximum_training_minutes": "600", "evaluation_frequency": "4", "input_width": "128",
    "input_height": "64", "accelerator": "cpu", "precision": "32",
}  # fmt: skip


def start(data: Path, model: Path) -> subprocess.Popen[str]:
    """Two processes, by the command that a container runs."""
    command = [sys.executable, "-m", "trainer", "object-detection-train"]
    command += ["--datain", str(data), "--trainedmodel", str(model)]
    for name, value in {**SETTINGS, "devices": "2"}.items():
        command += ["--set", f"{name}={value}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.training
@pytest.mark.timeout(600)
def test_two_processes_train_the_weights_of_one_with_two_replicas(tmp_path: Path) -> None:
    """Bit for bit, though the first is killed on the way: both sum two gradients and halve them.

    Neither the batch (9) nor the pictures of validation and test (15) divide by two. The second process ends
    when the first is gone (its output, which it shares, is closed), and only the first ever speaks.
    """
    data = draw_rectangles(tmp_path / "rectangles", 50)
    with start(data, tmp_path / "two") as killed:
        assert killed.stdout is not None
        assert any("checkpoint at step 4" in line for line in killed.stdout)
        killed.send_signal(signal.SIGKILL)
        killed.stdout.read()
    with start(data, tmp_path / "two") as resumed:
        assert resumed.stdout is not None
        said = resumed.stdout.read()
    assert resumed.returncode == 0, said
    for words in ("parameters of object-detection-train", "resuming from", "validation at step 8", "test: "):
        assert said.count(words) == 1

    parameters = parse(SETTINGS)
    torch.set_num_threads(2)
    try:
        alone = DetectionTraining(parameters, load_dataset(data, parameters), data, tmp_path / "one")
        alone.finish(alone.fit())
    finally:
        torch.set_num_threads(1)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    cards = [json.loads((tmp_path / name / "model.json").read_text()) for name in ("one", "two")]
    assert cards[0]["metrics"] == cards[1]["metrics"]
    assert [card["training"]["devices"] for card in cards] == [1, 2]


def test_every_device_needs_a_picture(tmp_path: Path) -> None:
    data = draw_rectangles(tmp_path / "rectangles", 10)
    parameters = parse({**SETTINGS, "batch_size": "2", "devices": "3"})
    with pytest.raises(ParameterError, match="3 devices, but only 2 pictures a step"):
        DetectionTraining(parameters, load_dataset(data, parameters), data, tmp_path / "model")
