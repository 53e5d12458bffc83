"""What the models of every task say, as typed tensors of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.inference.card import Card
from trainer.inference.classifier import Judged
from trainer.inference.detector import Found
from trainer.inference.embedder import Embedding
from trainer.inference.models import Result
from trainer.serving.tensors import BYTES, Tensor

Row = tuple[str, str, tuple[int, ...]]
"""Name, datatype, shape with -1 for what differs from request to request."""

_BOXES: tuple[Row, ...] = (
    ("counts", "INT64", (-1,)),
    ("boxes", "FP32", (-1, 4)),
    ("scores", "FP32", (-1,)),
    ("classes", "INT64", (-1,)),
    ("class_names", BYTES, (-1,)),
)
_READINGS: tuple[Row, ...] = (
    ("readings", BYTES, (-1,)),
    ("confidences", "FP32", (-1,)),
    ("complete", "BOOL", (-1,)),
    ("accepted", "BOOL", (-1,)),
)
_NEIGHBOURS: tuple[Row, ...] = (
    ("distance", "FP32", (-1, -1)),
    ("catalog_index", "INT64", (-1, -1)),
    ("catalog_filenames", BYTES, (-1, -1)),
    ("catalog_labels", BYTES, (-1, -1)),
)


def described(card: Card) -> tuple[Row, ...]:
    """The outputs of a model.

    A detector's ``counts`` say how many boxes each picture has; the boxes of all pictures follow each other.
    """
    if card.task == "object-detection":
        return _BOXES + (_READINGS if card.flag("digits") else ())
    if card.task == "image-classification":
        shape = (-1, len(card.classes))
        return (
            ("probs", "FP32", shape),
            ("predicted_class", "INT64", (-1,)),
            ("predicted_class_name", BYTES, (-1,)),
        )
    return (("embedding", "FP32", (-1, -1)), *_NEIGHBOURS)


def tensors(card: Card, results: Sequence[Result], top_k: int) -> list[Tensor]:
    """The results of one request; ``top_k`` is for embedders, how many neighbours of each picture."""
    columns = _columns(results, top_k)
    return [_tensor(name, datatype, columns[name]) for name, datatype, _ in described(card)]


def _tensor(name: str, datatype: str, column: Any) -> Tensor:
    array = np.asarray(column)
    if datatype == BYTES:
        texts = array.ravel().tolist()
        return Tensor(name, datatype, array.shape, [str(text).encode() for text in texts])
    if name == "boxes":
        array = array.reshape(-1, 4)  # also where there are none
    return Tensor(name, datatype, array.shape, array.ravel())


def _columns(results: Sequence[Result], top_k: int) -> Mapping[str, Any]:
    if found := [result for result in results if isinstance(result, Found)]:
        return _boxes(found)
    if judged := [result for result in results if isinstance(result, Judged)]:
        answers = [result.as_answer() for result in judged]
    else:
        embedded = [result for result in results if isinstance(result, Embedding)]
        answers = [result.as_answer() | result.as_neighbours(top_k) for result in embedded]
    return {name: [answer[name] for answer in answers] for name in answers[0]}


def _boxes(found: Sequence[Found]) -> Mapping[str, Any]:
    detections = [one.detections for one in found]
    labels = np.concatenate([one.labels for one in detections])
    readings = [(one.reading, one.reading_confidence) for one in found if one.reading is not None]
    return {
        "counts": [len(one.scores) for one in detections],
        "boxes": np.concatenate([one.boxes for one in detections]),
        "scores": np.concatenate([one.scores for one in detections]),
        "classes": labels,
        "class_names": np.array([found[0].classes[label] for label in labels], dtype=object),
        "readings": np.array([reading.text for reading, _ in readings], dtype=object),
        "confidences": [reading.confidence for reading, _ in readings],
        "complete": [reading.complete for reading, _ in readings],
        "accepted": [reading.accepted(limit) for reading, limit in readings],
    }
