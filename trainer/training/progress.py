"""What a watcher sees of a training: plain log lines, curves, and metrics in AI Core."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.trainer.states import TrainerFn
from typing_extensions import override

from trainer.tracking import METRIC_LIMIT, MetricAllowance, Progress, Stage, Tracker
from trainer.training.module import TrainedModule

logger = logging.getLogger(__name__)

TRAIN_METRICS = 240
"""Of AI Core's 1,000 metrics: loss, its parts, learning rate and speed; 40 points of six curves."""

TEST_METRICS = 150
"""Kept back for the figures of the test split."""

VALIDATION_METRICS = METRIC_LIMIT - TRAIN_METRICS - TEST_METRICS - 10

LOG_SECONDS = 10.0
PROGRESS_SECONDS = 2.0
SMOOTHING = 0.05


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which metrics make a headline, and which belong to one class only."""

    headline: tuple[str, ...]
    of_one_class: Callable[[str], bool]

    def describe(self, metrics: Mapping[str, float]) -> str:
        """The headline figures on one line."""
        return " · ".join(f"{name} {metrics[name]:.3f}" for name in self.headline if name in metrics)


class Reporter(Callback):
    """Smooths the losses, writes a line every ten seconds, keeps the curves and feeds the tracker.

    ``curves`` maps a metric's name to its points (step, value); it travels in the checkpoints, so that the
    curves of a resumed run are whole.
    """

    def __init__(
        self,
        tracker: Tracker,
        module: TrainedModule[Any],
        batch_size: int,
        vocabulary: Vocabulary,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tracker = tracker
        self.module = module
        self.batch_size = batch_size
        self.vocabulary = vocabulary
        self.clock = clock
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self._losses: dict[str, float] = {}
        self._train = MetricAllowance(TRAIN_METRICS)
        self._validation = MetricAllowance(VALIDATION_METRICS)
        self._marks: dict[str, float] = {}
        self._speed_mark = (0.0, 0)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._speed_mark = (self.clock(), trainer.global_step)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for name, value in outputs.items():
            latest = value.item()
            self._losses[name] = latest + (self._losses.get(name, latest) - latest) * (1 - SMOOTHING)
        step = trainer.global_step
        fraction = self.module.budget.fraction(step)
        if self._due("progress", PROGRESS_SECONDS):
            self.report("train", step)
        if fraction >= 1 or self._due("line", LOG_SECONDS):
            logger.info(self._line(step, fraction))
        if fraction >= 1 or math.floor(fraction * 200) > self._marks.get("curve", -1):
            self._marks["curve"] = math.floor(fraction * 200)
            self._record(step, fraction)

    @override
    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.FITTING:
            logger.info("evaluating at step %d", trainer.global_step)
            self.report("validation", trainer.global_step)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.module.figures is None or trainer.state.fn != TrainerFn.FITTING:
            return
        metrics, step = self.module.figures.metrics, trainer.global_step
        self._extend(metrics, step)
        fraction = self.module.budget.fraction(step)
        headline = {name: value for name, value in metrics.items() if not self.vocabulary.of_one_class(name)}
        for chosen in (metrics, headline):
            if self._validation.take(len(chosen), fraction, self.tracker.strays("validation", step)):
                self.tracker.metrics(chosen, step=step, split="validation")
                break
        logger.info("validation at step %d: %s", step, self.vocabulary.describe(metrics))
        self._speed_mark = (self.clock(), step)

    def finish(self, metrics: Mapping[str, float], step: int) -> None:
        """Send the figures of the test split; the headline first, classes as far as the limit allows."""
        ordered = sorted(metrics.items(), key=lambda item: self.vocabulary.of_one_class(item[0]))
        self.tracker.metrics(dict(ordered[:TEST_METRICS]), step=step, split="test")
        logger.info("test: %s", self.vocabulary.describe(metrics))

    def report(self, stage: Stage, step: int) -> None:
        """Tell AI Core where the training stands."""
        budget = self.module.budget
        running = stage in ("train", "validation")
        fraction = budget.fraction(step) if running else 1.0
        eta = budget.remaining_seconds(step) if running else 0.0
        total = round(step / fraction) if fraction > 0 else budget.maximum_steps
        self.tracker.progress(
            Progress(step, max(step, total), eta if math.isfinite(eta) else 0.0, fraction, stage)
        )

    def _record(self, step: int, fraction: float) -> None:
        metrics = {("loss" if name == "loss" else f"loss/{name}"): v for name, v in self._losses.items()}
        metrics["learning_rate"] = self.module.current_learning_rate
        metrics["images_per_second"] = self._speed(step)
        self._extend(metrics, step)
        if self._train.take(len(metrics), fraction, self.tracker.strays("train", step)):
            self.tracker.metrics(metrics, step=step, split="train")

    def _extend(self, metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.curves.setdefault(name, []).append((step, value))

    def _speed(self, step: int) -> float:
        """Pictures a second since training last (re)started after an evaluation."""
        since, first = self._speed_mark
        return (step - first) * self.batch_size / max(self.clock() - since, 1e-9)

    def _line(self, step: int, fraction: float) -> str:
        parts = ", ".join(f"{name} {value:.3f}" for name, value in self._losses.items() if name != "loss")
        return (
            f"step {step} ({fraction:.0%}) · loss {self._losses['loss']:.3f}{f' ({parts})' if parts else ''}"
            f" · lr {self.module.current_learning_rate:.2e} · {self._speed(step):.0f} images/s"
            f" · eta {duration(self.module.budget.remaining_seconds(step))}"
        )

    def _due(self, name: str, seconds: float) -> bool:
        now = self.clock()
        if now - self._marks.get(name, -math.inf) < seconds:
            return False
        self._marks[name] = now
        return True

    @override
    def state_dict(self) -> dict[str, Any]:
        return {
            "curves": self.curves,
            "losses": self._losses,
            "used": (self._train.used, self._validation.used),
            "curve": self._marks.get("curve", -1.0),
            "told": self.tracker.told(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curves = state_dict["curves"]
        self._losses = state_dict["losses"]
        self._train.used, self._validation.used = state_dict["used"]
        self._marks["curve"] = state_dict["curve"]
        self.tracker.resume(state_dict["told"])


def duration(seconds: float) -> str:
    """1h 02m, 5m 03s or 12s; a question mark for what cannot be known yet."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
