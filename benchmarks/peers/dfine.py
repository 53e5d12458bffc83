"""D-FINE nano of the `transformers` library from random start; its losses are the library's own."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import dataset
from benchmarks.outcome import Found, Outcome
from benchmarks.peers import clocked
from benchmarks.peers.arguments import parse

REQUIREMENTS = (
    "transformers==5.*",
    "huggingface_hub",
    "hf-xet",
    "tokenizers",
    "regex",
    "scipy",
    "safetensors",
    "filelock",
    "fsspec",
    "tqdm",
)
_SIZE = (320, 128)
_PEAK = 5e-4


def main() -> None:
    """Train for the given minutes, then predict the validation pictures."""
    options = parse(__doc__)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    from trainer.torchvision_remedy import ensure_torchvision

    ensure_torchvision()
    from trainer.detection.pretrained.loading import build

    data = dataset.read(options.data)
    model = build("d-fine-n", data.classes, _SIZE, "random", Path())

    def loss(pictures: list[Tensor], targets: list[clocked.Target]) -> Tensor:
        value: Tensor = model(
            pixel_values=torch.stack(pictures), labels=[_label(one) for one in targets]
        ).loss
        return value

    seen, seconds = clocked.train(
        model, loss, data.train, _SIZE, peak=_PEAK, minutes=options.minutes, batch=options.batch
    )
    Outcome(
        seconds=seconds,
        pictures=seen,
        parameters=sum(one.numel() for one in model.parameters()),
        predictions={sample.path: _find(model, sample) for sample in data.validation},
    ).write(options.output)


def _label(target: clocked.Target) -> dict[str, Tensor]:
    boxes, size = target["boxes"], torch.tensor(_SIZE)
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return {"class_labels": target["labels"] - 1, "boxes": torch.cat((centres / size, sides / size), -1)}


@torch.no_grad()
def _find(model: nn.Module, sample: dataset.Sample) -> list[Found]:
    """The hundred best pairs of box and class, as the authors evaluate."""
    model.eval()
    result = model(pixel_values=clocked.pixels(sample, _SIZE)[None].float() / 255)
    centres, sides = result.pred_boxes[0].split(2, -1)
    size = torch.tensor([sample.width, sample.height])
    boxes = torch.cat(((centres - sides / 2) * size, (centres + sides / 2) * size), -1)
    scores = result.logits[0].sigmoid()
    values, places = scores.flatten().topk(min(100, scores.numel()))
    return [
        (*boxes[place // scores.shape[1]].tolist(), value, place % scores.shape[1])
        for value, place in zip(values.tolist(), places.tolist(), strict=True)
    ]


if __name__ == "__main__":
    main()
