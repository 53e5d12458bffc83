"""What torchvision's detectors share in the benchmark: their losses, and boxes in pixels of the picture."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks import dataset
from benchmarks.outcome import Found, Outcome
from benchmarks.peers import clocked, suppression
from benchmarks.peers.arguments import parse


def run(description: str | None, make: Callable[[int], nn.Module], size: clocked.Size, peak: float) -> None:
    """Train what ``make`` gives for so many classes, then predict the validation pictures."""
    options = parse(description)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    suppression.install()
    data = dataset.read(options.data)
    model = make(len(data.classes))

    def loss(pictures: list[Tensor], targets: list[clocked.Target]) -> Tensor:
        return torch.stack(list(model(pictures, targets).values())).sum()

    seen, seconds = clocked.train(
        model, loss, data.train, size, peak=peak, minutes=options.minutes, batch=options.batch
    )
    Outcome(
        seconds=seconds,
        pictures=seen,
        parameters=sum(one.numel() for one in model.parameters()),
        predictions={sample.path: _find(model, sample, size) for sample in data.validation},
    ).write(options.output)


@torch.no_grad()
def _find(model: nn.Module, sample: dataset.Sample, size: clocked.Size) -> list[Found]:
    model.eval()
    (found,) = model([clocked.pixels(sample, size).float() / 255])
    boxes = (found["boxes"] / clocked.scale(sample, size)).tolist()
    return [
        (*box, score, label - 1)
        for box, score, label in zip(boxes, found["scores"].tolist(), found["labels"].tolist(), strict=True)
    ]
