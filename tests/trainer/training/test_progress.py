"""What a watcher sees: lines, curves, and never more metrics than AI Core takes."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from pytorch_lightning.trainer.states import TrainerFn

from trainer.detection.evaluation import Figures
from trainer.detection.module import DetectionModule
from trainer.detection.network import CompactDetector, NetworkConfig
from trainer.detection.preparation import Preparation
from trainer.detection.training import DetectionTraining
from trainer.tracking import METRIC_LIMIT, Progress, Tracker
from trainer.training.budget import Budget
from trainer.training.module import Recipe
from trainer.training.progress import Reporter, duration


class Recorder(Tracker):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__(None)
        self.sent: list[tuple[str, int, str]] = []
        self.reports: list[Progress] = []

    def metrics(self, values: Any, *, step: int, split: str) -> None:
        self.sent += [(name, step, split) for name in values]

    def progress(self, progress: Progress) -> None:
        self.reports.append(progress)


class Run:
    """A training without a network: steps, time and evaluations as the test says."""

    def __init__(self, steps: int, classes: int = 10) -> None:
        self.now = 0.0
        names = tuple(f"c{number}" for number in range(classes))
        config = NetworkConfig(classes, stem=8, widths=(8, 8, 8, 8), depths=(1, 1, 1, 1), pyramid=8)
        self.module = DetectionModule(
            CompactDetector(config), names, Recipe(Budget(steps, clock=lambda: self.now), 1e-3, decay=True),
            class_agnostic=False, preparation=Preparation(1, None, False),
        )  # fmt: skip
        self.recorder = Recorder()
        self.reporter = Reporter(
            self.recorder, self.module, 16, DetectionTraining.vocabulary, clock=lambda: self.now
        )
        self.trainer = cast(Any, SimpleNamespace(global_step=0, state=SimpleNamespace(fn=TrainerFn.FITTING)))
        self.metrics = {"mAP/allClasses": 0.5, "coco/mAP": 0.4, **{f"mAP/{name}": 0.5 for name in names}}
        self.module.budget.start()
        self.reporter.on_train_start(self.trainer, self.module)

    def step(self, seconds: float = 0.1) -> None:
        self.now += seconds
        self.trainer.global_step += 1
        losses = {"loss": torch.tensor(2.0), "boxes": torch.tensor(1.0)}
        self.reporter.on_train_batch_end(self.trainer, self.module, losses, None, 0)

    def evaluate(self) -> None:
        self.module.figures = Figures(self.metrics, 0.5, np.zeros((1, 1), np.int64))
        self.reporter.on_validation_start(self.trainer, self.module)
        self.reporter.on_validation_end(self.trainer, self.module)


@pytest.mark.parametrize(("classes", "every"), [(10, 100), (10, 2), (80, 100), (2000, 50)])
def test_an_execution_never_gets_more_metrics_than_ai_core_takes(classes: int, every: int) -> None:
    run = Run(1000, classes)
    for step in range(1, 1001):
        run.step()
        if step % every == 0:
            run.evaluate()
    run.reporter.finish(run.metrics, 1000)
    assert len(run.recorder.sent) < METRIC_LIMIT
    names = {(name, split) for name, _, split in run.recorder.sent}
    for split in ("validation", "test"):
        assert ("mAP/allClasses", split) in names
    last = max(step for name, step, split in run.recorder.sent if split == "validation")
    assert last > 900


def test_ten_evaluations_of_ten_digits_are_sent_whole() -> None:
    run = Run(1000)
    for step in range(1, 1001):
        run.step()
        if step % 100 == 0:
            run.evaluate()
    assert sum(name == "mAP/c3" for name, _, _ in run.recorder.sent) == 10
    assert 30 <= sum(name == "loss" for name, _, _ in run.recorder.sent) <= 60


def test_progress_goes_out_every_two_seconds_with_an_estimate() -> None:
    run = Run(1000)
    for _ in range(100):
        run.step(seconds=0.5)
    assert 24 <= len(run.recorder.reports) <= 26
    latest = run.recorder.reports[-1]
    assert latest.stage == "train"
    assert latest.total_steps == 1000
    assert latest.eta_seconds == pytest.approx((1000 - latest.step) * 0.5)


def test_log_lines_say_step_loss_rate_speed_and_the_time_left(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trainer")
    run = Run(1000)
    for _ in range(81):
        run.step(seconds=0.125)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "step 81 (8%)" in lines[1]
    assert "loss 2.000 (boxes 1.000)" in lines[1]
    assert "128 images/s" in lines[1]
    assert "eta 1m 55s" in lines[1]


def test_curves_survive_a_restart() -> None:
    first, second = Run(100), Run(100)
    for _ in range(10):
        first.step()
    first.evaluate()
    second.reporter.load_state_dict(first.reporter.state_dict())
    second.trainer.global_step = 10
    second.step()
    assert [step for step, _ in second.reporter.curves["loss"]] == list(range(1, 12))
    assert second.reporter.curves["coco/mAP"] == [(10, 0.4)]


@pytest.mark.parametrize(
    ("seconds", "text"), [(7, "7s"), (303, "5m 03s"), (3720, "1h 02m"), (float("inf"), "?")]
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
