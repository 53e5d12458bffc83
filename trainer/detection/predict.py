"""Finding objects in pictures with a trained model folder, on ONNX Runtime alone: no torch is loaded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from trainer.detection.drawing import enlarged
from trainer.errors import InputError
from trainer.inference.card import read_card
from trainer.inference.detector import Detector, Found
from trainer.inference.pictures import PictureError, decode
from trainer.inference.session import open_session


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was found in the picture at ``path``."""

    path: Path
    found: Found

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; boxes in reading order where there is one."""
        return {"picture": str(self.path), **self.found.as_dict()}

    def as_line(self) -> str:
        """One line for people: path, reading, confidence, boxes."""
        document = self.as_dict()
        boxes = " ".join(
            f"{box['class']}@{box['score']:.2f}[{','.join(f'{v:.0f}' for v in box['box'])}]"
            for box in document["boxes"]
        )
        reading = self.found.reading
        if reading is None:
            return f"{self.path}\t{len(document['boxes'])} objects\t{boxes}"
        text = reading.text or "nothing found"
        note = "" if document["accepted"] else " (not sure enough)"
        note = note if reading.complete or not reading.text else " (a wheel seems missing)"
        return f"{self.path}\t{text}\t{reading.confidence:.2f}{note}\t{boxes}"


def main(arguments: Sequence[str]) -> int:
    """``predict MODEL PICTURE… [--draw DIR] [--threshold SCORE] [-o json]``."""
    options = _parser().parse_args(arguments)
    detector = Detector(read_card(options.model), open_session(options.model), threshold=options.threshold)
    if options.draw:
        options.draw.mkdir(parents=True, exist_ok=True)
    predictions = []
    for path in options.pictures:
        picture = _opened(path)
        (found,) = detector.infer([detector.prepare(picture)], [picture.size])
        prediction = Prediction(path, found)
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
        return decode(path.read_bytes())
    except (OSError, PictureError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error})") from error


def _draw(picture: Image.Image, prediction: Prediction, path: Path) -> None:
    canvas, factor = enlarged(picture)
    prediction.found.draw(canvas, factor)
    canvas.save(path)
