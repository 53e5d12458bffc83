"""What a contender hands back, and the one judge of all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.dataset import Data

Found = tuple[float, float, float, float, float, int]  # x1, y1, x2, y2, score, class index; picture pixels


@dataclass(frozen=True)
class Outcome:
    """A finished training: how long, how many pictures went through, and what it finds on validation."""

    seconds: float
    pictures: int
    parameters: int
    predictions: Mapping[str, Sequence[Found]]  # by the sample's path

    def write(self, path: Path) -> None:
        """Store for the judge."""
        path.write_text(json.dumps(asdict(self)))


def read(path: Path) -> Outcome:
    """Load what `Outcome.write` stored."""
    return Outcome(**json.loads(path.read_text()))


def judge(data: Data, outcome: Outcome) -> dict[str, float]:
    """COCO's mAP@[.5:.95] and mAP50 over the validation pictures, by torchmetrics, alike for all."""
    from trainer.torchvision_remedy import ensure_torchvision

    ensure_torchvision()
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    metric = MeanAveragePrecision(backend="faster_coco_eval")
    metric.warn_on_many_detections = False
    for sample in data.validation:
        found = torch.tensor([list(box) for box in outcome.predictions.get(sample.path, ())]).reshape(-1, 6)
        there = torch.tensor([list(box) for box in sample.boxes], dtype=torch.float32).reshape(-1, 5)
        metric.update(
            [{"boxes": found[:, :4], "scores": found[:, 4], "labels": found[:, 5].long()}],
            [{"boxes": there[:, :4], "labels": there[:, 4].long()}],
        )
    result = metric.compute()
    return {"mAP": float(result["map"]), "mAP50": float(result["map_50"])}
