"""The training loop of peers that bring none: AdamW and one cycle over the given minutes.

Pictures are resized to a fixed input once, before the clock runs; the clock counts training only. The rate
rises over the first tenth of the time and falls along a half cosine that ends where the time ends.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks import dataset

_WARM_UP = 0.1  # share of the time in which the learning rate rises

Target = dict[str, Tensor]
"""`boxes` (K, 4) in input pixels and `labels` (K,) from 1 on."""
Loss = Callable[[list[Tensor], list[Target]], Tensor]
Size = tuple[int, int]
"""Width and height of the input."""


def train(
    model: nn.Module,
    loss: Loss,
    samples: Sequence[dataset.Sample],
    size: Size,
    *,
    peak: float,
    minutes: float,
    batch: int,
) -> tuple[int, float]:
    """Train with pictures (3, H, W), 0 to 1; pictures seen and seconds taken."""
    pictures = [pixels(sample, size) for sample in samples]
    targets = [_target(sample, size) for sample in samples]
    optimizer = torch.optim.AdamW(
        (p for p in model.parameters() if p.requires_grad), lr=peak, weight_decay=1e-4
    )
    model.train()
    seen, begin = 0, time.monotonic()
    for chosen in _batches(len(pictures), batch):
        share = (time.monotonic() - begin) / (60 * minutes)
        if share >= 1 and seen:
            break
        for group in optimizer.param_groups:
            group["lr"] = peak * _schedule(min(share, 1.0))
        shown = [_augment(pictures[index], targets[index]) for index in chosen]
        value = loss([picture for picture, _ in shown], [target for _, target in shown])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        seen += len(chosen)
    return seen, time.monotonic() - begin


def pixels(sample: dataset.Sample, size: Size) -> Tensor:
    """One picture as bytes (3, H, W), stretched to the input."""
    with Image.open(sample.path) as picture:
        resized = picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()


def scale(sample: dataset.Sample, size: Size) -> Tensor:
    """Input pixels to a pixel of the picture, along x, y, x, y."""
    return torch.tensor([size[0] / sample.width, size[1] / sample.height] * 2)


def _target(sample: dataset.Sample, size: Size) -> Target:
    boxes = torch.tensor([box[:4] for box in sample.boxes], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([box[4] + 1 for box in sample.boxes], dtype=torch.int64)
    return {"boxes": boxes * scale(sample, size), "labels": labels}


def _schedule(share: float) -> float:
    if share < _WARM_UP:
        return 0.04 + 0.96 * share / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (share - _WARM_UP) / (1 - _WARM_UP)))


def _batches(count: int, size: int) -> Iterator[list[int]]:
    while True:
        order = random.sample(range(count), count)
        for start in range(0, count, size):
            yield order[start : start + size]


def _augment(picture: Tensor, target: Target) -> tuple[Tensor, Target]:
    """Brightness, contrast and a shift of up to a tenth; no flips, which would turn digits into nothing."""
    _, height, width = picture.shape
    shown = picture.float() / 255
    shown = (shown - shown.mean()) * random.uniform(0.7, 1.3) + shown.mean() * random.uniform(0.7, 1.3)
    right, down = random.randint(-width // 10, width // 10), random.randint(-height // 10, height // 10)
    shown = torch.roll(shown.clamp(0, 1), (down, right), (1, 2))
    moved = target["boxes"] + torch.tensor([right, down, right, down])
    inside = torch.minimum(moved.clamp(min=0), torch.tensor([width, height, width, height]))
    kept = (inside[:, 2:] - inside[:, :2]).prod(-1) > 0.6 * (moved[:, 2:] - moved[:, :2]).prod(-1)
    return shown, {"boxes": inside[kept], "labels": target["labels"][kept]}
