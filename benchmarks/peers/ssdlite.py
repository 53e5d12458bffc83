"""torchvision's ssdlite320_mobilenet_v3_large from random start: AdamW, one cycle over the given minutes.

The pictures are resized to its fixed 320x320 once, before the clock runs; the clock counts training only.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks import dataset
from benchmarks.outcome import Found, Outcome
from benchmarks.peers import suppression
from benchmarks.peers.arguments import parse

_SIDE = 320
_PEAK = 2e-3
_WARM_UP = 0.1  # share of the time in which the learning rate rises

Target = dict[str, Tensor]


def main() -> None:
    """Train for the given minutes, then predict the validation pictures."""
    options = parse(__doc__)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    suppression.install()
    data = dataset.read(options.data)
    model = _model(len(data.classes))
    pictures = [_pixels(sample) for sample in data.train]
    targets = [_target(sample) for sample in data.train]
    seen, seconds = _train(model, pictures, targets, 60 * options.minutes, options.batch)
    Outcome(
        seconds=seconds,
        pictures=seen,
        parameters=sum(one.numel() for one in model.parameters()),
        predictions={sample.path: _find(model, sample) for sample in data.validation},
    ).write(options.output)


def _model(classes: int) -> nn.Module:
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    model: nn.Module = ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=classes + 1, score_thresh=0.01
    )
    return model


def _train(
    model: nn.Module, pictures: list[Tensor], targets: list[Target], limit: float, batch: int
) -> tuple[int, float]:
    """Pictures seen and seconds taken; the schedule follows the clock and ends where the time ends."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=_PEAK, weight_decay=1e-4)
    model.train()
    seen, begin = 0, time.monotonic()
    for chosen in _batches(len(pictures), batch):
        share = (time.monotonic() - begin) / limit
        if share >= 1 and seen:
            break
        for group in optimizer.param_groups:
            group["lr"] = _PEAK * _schedule(min(share, 1.0))
        shown = [_augment(pictures[index], targets[index]) for index in chosen]
        losses = model([picture for picture, _ in shown], [target for _, target in shown])
        loss = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        seen += len(chosen)
    return seen, time.monotonic() - begin


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
    shown = picture.float() / 255
    shown = (shown - shown.mean()) * random.uniform(0.7, 1.3) + shown.mean() * random.uniform(0.7, 1.3)
    right, down = random.randint(-_SIDE // 10, _SIDE // 10), random.randint(-_SIDE // 10, _SIDE // 10)
    shown = torch.roll(shown.clamp(0, 1), (down, right), (1, 2))
    moved = target["boxes"] + torch.tensor([right, down, right, down])
    inside = moved.clamp(0, _SIDE)
    kept = (inside[:, 2:] - inside[:, :2]).prod(-1) > 0.6 * (moved[:, 2:] - moved[:, :2]).prod(-1)
    return shown, {"boxes": inside[kept], "labels": target["labels"][kept]}


def _pixels(sample: dataset.Sample) -> Tensor:
    with Image.open(sample.path) as picture:
        resized = picture.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1).contiguous()


def _target(sample: dataset.Sample) -> Target:
    boxes = torch.tensor([box[:4] for box in sample.boxes], dtype=torch.float32).reshape(-1, 4)
    labels = torch.tensor([box[4] + 1 for box in sample.boxes], dtype=torch.int64)
    return {"boxes": boxes * _scale(sample), "labels": labels}


def _scale(sample: dataset.Sample) -> Tensor:
    return torch.tensor([_SIDE / sample.width, _SIDE / sample.height] * 2)


@torch.no_grad()
def _find(model: nn.Module, sample: dataset.Sample) -> list[Found]:
    model.eval()
    (found,) = model([_pixels(sample).float() / 255])
    boxes = (found["boxes"] / _scale(sample)).tolist()
    return [
        (*box, score, label - 1)
        for box, score, label in zip(boxes, found["scores"].tolist(), found["labels"].tolist(), strict=True)
    ]


if __name__ == "__main__":
    main()
