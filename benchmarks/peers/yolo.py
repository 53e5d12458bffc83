"""YOLO11n from random start with Ultralytics' own training loop and defaults, flips off.

Ultralytics is licensed under AGPL-3.0: it is installed by the benchmark alone, into an environment of its own
that borrows torch from this one, and nothing of Corespec depends on it. Its loop stops by its own clock.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks import dataset
from benchmarks.outcome import Found, Outcome

REQUIREMENTS = (
    "ultralytics==8.4.*",
    "ultralytics-thop",
    "opencv-python-headless",
    "psutil",
    "polars",
    "scipy",
)
_IMAGE = 320


def main() -> None:
    """Train for the given minutes, then predict the validation pictures."""
    from benchmarks.peers.arguments import parse

    options = parse(__doc__)
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(options.work), "YOLO_AUTOINSTALL": "false"}
    import torch

    from benchmarks.peers import suppression

    torch.set_num_threads(options.threads)
    suppression.install()
    from ultralytics import YOLO  # type: ignore[import-not-found]

    data = dataset.read(options.data)
    model = YOLO("yolo11n.yaml")
    meter = _Meter(options.batch)
    model.add_callback("on_train_start", meter.start)
    model.add_callback("on_train_batch_end", meter.step)
    model.train(
        data=str(_lay_out(options.work, data)),
        time=options.minutes / 60,
        imgsz=_IMAGE,
        batch=options.batch,
        device="cpu",
        workers=0,
        seed=options.seed,
        pretrained=False,
        fliplr=0.0,
        val=False,
        plots=False,
        verbose=False,
        project=str(options.work / "runs"),
    )
    Outcome(
        seconds=meter.seconds,
        pictures=meter.pictures,
        parameters=sum(one.numel() for one in model.model.parameters()),
        predictions={sample.path: _find(model, sample.path) for sample in data.validation},
    ).write(options.output)


class _Meter:
    """Counts batches and the time from the first to the last, without the set-up before them."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.pictures = 0
        self.seconds = 0.0
        self._began = 0.0

    def start(self, _: object) -> None:
        """The training begins."""
        self._began = time.monotonic()

    def step(self, _: object) -> None:
        """One more batch is done."""
        self.pictures += self.batch
        self.seconds = time.monotonic() - self._began


def _lay_out(work: Path, data: dataset.Data) -> Path:
    """Ultralytics' folders: links to the pictures, and a text file with centre and size of every box."""
    for split, samples in (("train", data.train), ("val", data.validation)):
        for name in ("images", "labels"):
            (work / name / split).mkdir(parents=True)
        for sample in samples:
            picture = Path(sample.path)
            (work / "images" / split / picture.name).symlink_to(picture)
            lines = (_label(sample, box) for box in sample.boxes)
            (work / "labels" / split / f"{picture.stem}.txt").write_text("".join(lines))
    names = "".join(f"  {index}: {name!r}\n" for index, name in enumerate(data.classes))
    description = work / "data.yaml"
    description.write_text(f"path: {work}\ntrain: images/train\nval: images/val\nnames:\n{names}")
    return description


def _label(sample: dataset.Sample, box: dataset.Box) -> str:
    x1, y1, x2, y2, label = box
    centre = (x1 + x2) / 2 / sample.width, (y1 + y2) / 2 / sample.height
    size = (x2 - x1) / sample.width, (y2 - y1) / sample.height
    return " ".join([str(label), *(f"{value:.6f}" for value in (*centre, *size))]) + "\n"


def _find(model: object, path: str) -> list[Found]:
    (found,) = model.predict(path, imgsz=_IMAGE, conf=0.01, device="cpu", verbose=False)  # type: ignore[attr-defined]
    return [(*box[:4], box[4], int(box[5])) for box in found.boxes.data.tolist()]


if __name__ == "__main__":
    main()
