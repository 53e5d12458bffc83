"""How far a training is between its first step and its limit, be that a number of steps or of minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Budget:
    """Steps and seconds a training may take; everything that anneals or recurs asks for ``fraction``.

    The seconds run from ``start()`` and include the evaluations on the way. ``reserve`` seconds at the end
    are kept free for the final evaluation, so that a limited run ends on time. ``spent`` carries the
    seconds of earlier processes when a run is resumed.
    """

    maximum_steps: int
    maximum_seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    spent: float = 0.0
    reserve: float = 0.0
    _started: float | None = field(default=None, init=False)
    _furthest: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Let the seconds run."""
        self._started = self.clock()

    def elapsed(self) -> float:
        """Seconds of training so far, over all processes."""
        return self.spent + (0.0 if self._started is None else self.clock() - self._started)

    def fraction(self, step: int) -> float:
        """Share of the budget that is used up at ``step``, in [0, 1]; never less than it was before."""
        share = step / self.maximum_steps
        if self.maximum_seconds > 0:
            share = max(share, (self.elapsed() + self.reserve) / self.maximum_seconds)
        self._furthest = max(self._furthest, min(1.0, share))
        return self._furthest

    def exhausted(self, step: int) -> bool:
        """Whether no further step may begin."""
        return self.fraction(step) >= 1.0

    def remaining_seconds(self, step: int) -> float:
        """Estimate of the seconds to the end at the pace so far; infinite before the first step."""
        share = self.fraction(step)
        return self.elapsed() * (1 - share) / share if share > 0 else math.inf


def learning_rate_factor(
    fraction: float, *, decay: bool, warm_up: float = 0.05, floor: float = 0.01
) -> float:
    """Factor on the base learning rate: a linear warm-up, then a half cosine down to ``floor``.

    Without ``decay`` it stays at 1 after the warm-up.
    """
    ramp = min(1.0, fraction / warm_up) if warm_up > 0 else 1.0
    if not decay:
        return max(ramp, 0.001)
    place = max(0.0, fraction - warm_up) / (1 - warm_up)
    return max(ramp, 0.001) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * place)))


def evaluation_due(before: float, after: float, step: int, frequency: float) -> bool:
    """Whether an evaluation falls between two moments of a training.

    ``before`` and ``after`` are budget fractions around the step that completed ``step`` steps. A frequency
    up to 1 is a share of the budget; above 1 it is a number of steps, as in the CV package.
    """
    if frequency > 1:
        return step % round(frequency) == 0
    return math.floor(after / frequency + 1e-9) > math.floor(before / frequency + 1e-9)
