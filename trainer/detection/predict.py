"""Finding objects in pictures with a trained model folder, on ONNX Runtime alone: no torch is loaded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, UnidentifiedImageError

from trainer.detection.drawing import FOUND, draw_boxes, enlarged
from trainer.detection.letterbox import Letterbox
from trainer.detection.reading import Reading, read
from trainer.detection.suppression import Detections, detect
from trainer.errors import InputError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Prediction:
    """One picture: detections with boxes in its own pixels, and the reading where classes are digits."""

    path: Path
    detections: Detections
    classes: tuple[str, ...]
    reading: Reading | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; boxes in reading order where there is one."""
        order = self.reading.order if self.reading else range(len(self.detections.scores))
        document: dict[str, Any] = {"picture": str(self.path)}
        if self.reading:
            document |= {
                "reading": self.reading.text,
                "confidence": round(self.reading.confidence, 4),
                "complete": self.reading.complete,
            }
        document["boxes"] = [
            {
                "class": self.classes[self.detections.labels[index]],
                "score": round(float(self.detections.scores[index]), 4),
                "box": [round(value, 1) for value in self.detections.boxes[index].tolist()],
            }
            for index in order
        ]
        return document

    def as_line(self) -> str:
        """One line for people: path, reading, confidence, boxes."""
        document = self.as_dict()
        boxes = " ".join(
            f"{box['class']}@{box['score']:.2f}[{','.join(f'{v:.0f}' for v in box['box'])}]"
            for box in document["boxes"]
        )
        if self.reading is None:
            return f"{self.path}\t{len(document['boxes'])} objects\t{boxes}"
        note = "" if self.reading.complete else " (a wheel seems missing)"
        text = self.reading.text or "nothing found"
        return f"{self.path}\t{text}\t{self.reading.confidence:.2f}{note}\t{boxes}"


class Predictor:
    """A model folder, loaded once.

    Raises ``InputError`` if the folder is no complete model or of a version this program cannot read.
    """

    def __init__(self, folder: Path) -> None:
        try:
            card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            version = card["format_version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} is no model folder: model.json cannot be read ({error})") from error
        if version != FORMAT_VERSION:
            raise InputError(
                f"{folder}/model.json has format_version {version}, this program reads {FORMAT_VERSION}"
            )
        self.classes: tuple[str, ...] = tuple(card["classes"])
        self.size: tuple[int, int] = (card["input"]["width"], card["input"]["height"])
        self.threshold: float = card["score_threshold"]
        self.class_agnostic: bool = card["class_agnostic_nms"]
        self.digits: bool = card["digits"]
        weights = folder / "model.onnx"
        if not weights.is_file():
            raise InputError(f"{folder} is no model folder: model.onnx is missing")
        self._session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])

    def predict(self, picture: Image.Image, path: Path, threshold: float | None = None) -> Prediction:
        """Find the objects of one picture with scores of at least ``threshold`` (default: the model's)."""
        letterbox = Letterbox.fit(picture.size, self.size)
        pixels = letterbox.draw(picture, self.size).transpose(2, 0, 1)[None]
        boxes, scores = self._session.run(None, {"pictures": np.ascontiguousarray(pixels)})
        found = detect(
            boxes[0],
            scores[0],
            class_agnostic=self.class_agnostic,
            threshold=self.threshold if threshold is None else threshold,
        )
        placed = Detections(letterbox.to_picture(found.boxes, picture.size), found.scores, found.labels)
        return Prediction(path, placed, self.classes, read(placed, self.classes) if self.digits else None)


def main(arguments: Sequence[str]) -> int:
    """``predict MODEL PICTURE… [--draw DIR] [--threshold SCORE] [-o json]``."""
    options = _parser().parse_args(arguments)
    predictor = Predictor(options.model)
    if options.draw:
        options.draw.mkdir(parents=True, exist_ok=True)
    predictions = []
    for path in options.pictures:
        with _opened(path) as picture:
            prediction = predictor.predict(picture, path, options.threshold)
            if options.draw:
                _draw(picture, prediction, options.draw / f"{path.stem}.png")
        predictions.append(prediction)
        if options.output == "text":
            print(prediction.as_line())
    if options.output == "json":
        print(json.dumps([prediction.as_dict() for prediction in predictions], indent=2, ensure_ascii=False))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer predict", description="Find objects in pictures with a trained model."
    )
    parser.add_argument("model", type=Path, help="the model folder a training wrote")
    parser.add_argument("pictures", type=Path, nargs="+", metavar="PICTURE")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="write PNGs with the boxes drawn into DIR")
    parser.add_argument("--threshold", type=float, help="lowest score to report (default: the model's own)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser


def _opened(path: Path) -> Image.Image:
    try:
        picture = Image.open(path)
        picture.load()
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error})") from error
    return picture


def _draw(picture: Image.Image, prediction: Prediction, path: Path) -> None:
    canvas, factor = enlarged(picture)
    found = prediction.detections
    names = [prediction.classes[label] for label in found.labels]
    texts = [f"{name} {score:.0%}" for name, score in zip(names, found.scores, strict=True)]
    draw_boxes(canvas, found.boxes * np.float32(factor), texts, FOUND)
    canvas.save(path)
