"""The parameters of ``object-detection-train``: one table, parsed and range-checked once.

AI Core hands every parameter over as a string. The names and defaults are those of
sap-computer-vision-package 1.1.7 where it had them, except ``model_name`` and ``base_learning_rate``
(another detector, another optimizer) and ``aicore_tracking`` (metrics are the point of a run).
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any, Literal

from trainer.errors import ParameterError

ENVIRONMENT_PREFIX = "TRAINER_"
MODEL_ALIASES: Mapping[str, str] = {"COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml": "compact"}

ParameterType = Literal["integer", "number", "boolean", "string", "json", "split"]
Switch = Literal["auto", "true", "false"]
Split = Fraction | str | None
"""A share of the pictures in (0, 1], the name of a list file or folder, or None where the split is off."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row of the catalogue; ``default`` is the string AI Core would pass."""

    name: str
    type: ParameterType
    default: str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None


_SPLIT_FORMS = "a share such as 0.8, a list file such as train.txt, or a sub-folder"

PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "model_name",
        "string",
        "compact",
        "Detector to train; the CV package's Faster R-CNN name is accepted and trains the compact detector.",
        choices=("compact", *MODEL_ALIASES),
    ),
    Parameter("train", "split", "train.txt", f"Pictures to train on: {_SPLIT_FORMS}."),
    Parameter(
        "validation", "split", "val.txt", f'Pictures that steer the training: {_SPLIT_FORMS}; "" for none.'
    ),
    Parameter("test", "split", "test.txt", f'Pictures for the final figures: {_SPLIT_FORMS}; "" for none.'),
    Parameter("class_names", "json", "[]", "JSON list of class names in index order; [] collects them."),
    Parameter("box_mode", "string", "XYXY_ABS", "How boxes are written.", choices=("XYXY_ABS",)),
    Parameter("batch_size", "integer", "12", "Pictures per optimizer step.", 1, 4096),
    Parameter("learning_rate_decay", "boolean", "True", "Lower the learning rate towards the end."),
    Parameter("early_stopping", "boolean", "True", "Stop when mAP/allClasses on validation stands still."),
    Parameter(
        "additional_augmentations",
        "boolean",
        "True",
        "Photometric changes, small rotations, scale and shear.",
    ),
    Parameter("maximum_training_steps", "integer", "3000", "Optimizer steps at most.", 1, 10_000_000),
    Parameter(
        "evaluation_frequency",
        "number",
        "0.1",
        "Evaluate every so many steps; a value up to 1 is a share of the training, in steps or minutes.",
        0.0001,
        10_000_000,
    ),
    Parameter("base_learning_rate", "number", "0.002", "Peak learning rate of AdamW.", 1e-8, 1.0),
    Parameter("seed", "integer", "1337", "Seed of the splits, the weights and the batches.", 0, 2**32 - 1),
    Parameter("aicore_tracking", "boolean", "True", "Push metrics to AI Core's tracking service."),
    Parameter(
        "image_types", "json", '[".jpg", ".jpeg", ".png"]', "JSON list of file suffixes that are pictures."
    ),
    Parameter(
        "maximum_training_minutes",
        "number",
        "0",
        "Wall-clock minutes of training at most; 0 sets no limit.",
        0,
        100_000,
    ),
    Parameter(
        "input_width", "integer", "0", "Network input width in pixels; 0 chooses from the data.", 0, 4096
    ),
    Parameter(
        "input_height", "integer", "0", "Network input height in pixels; 0 chooses from the data.", 0, 4096
    ),
    Parameter("precision", "string", "auto", "Arithmetic of the training.", choices=("auto", "32", "bf16")),
    Parameter(
        "horizontal_flip",
        "string",
        "auto",
        "Mirror pictures in training; auto: not where a class name is a digit or a letter.",
        choices=("auto", "true", "false"),
    ),
    Parameter(
        "class_agnostic_nms",
        "string",
        "auto",
        "Let boxes of different classes suppress each other; auto: where every class is one digit or letter.",
        choices=("auto", "true", "false"),
    ),
    Parameter(
        "bad_data",
        "string",
        "reject",
        "reject refuses a dataset with any faulty picture; skip leaves those pictures out.",
        choices=("reject", "skip"),
    ),
    Parameter(
        "group_pattern",
        "string",
        "",
        "Regular expression searched in the file stem; pictures with the same match stay in one split.",
    ),
    Parameter(
        "early_stopping_patience", "integer", "5", "Evaluations without progress before stopping.", 1, 10_000
    ),
    Parameter(
        "weights", "string", "", 'Weights file to start from, relative to the dataset; "" starts at random.'
    ),
    Parameter(
        "num_workers", "integer", "0", "Extra processes that read pictures; 0 reads in the trainer.", 0, 256
    ),
    Parameter("accelerator", "string", "auto", "Where to compute.", choices=("auto", "cpu", "gpu", "mps")),
)


@dataclass(frozen=True, slots=True)
class DetectionParameters:
    """Every parameter, typed; the fields are the rows of ``PARAMETERS``, in the same order."""

    model_name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    box_mode: str
    batch_size: int
    learning_rate_decay: bool
    early_stopping: bool
    additional_augmentations: bool
    maximum_training_steps: int
    evaluation_frequency: float
    base_learning_rate: float
    seed: int
    aicore_tracking: bool
    image_types: tuple[str, ...]
    maximum_training_minutes: float
    input_width: int
    input_height: int
    precision: Literal["auto", "32", "bf16"]
    horizontal_flip: Switch
    class_agnostic_nms: Switch
    bad_data: Literal["reject", "skip"]
    group_pattern: str
    early_stopping_patience: int
    weights: str
    num_workers: int
    accelerator: Literal["auto", "cpu", "gpu", "mps"]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values, for ``model.json``."""
        return {field.name: _jsonable(getattr(self, field.name)) for field in fields(self)}


def _jsonable(value: Any) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, tuple):
        return list(value)
    return "" if value is None else value


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = _number(text)
        if number.is_integer():
            return int(number)  # AI Core front ends write 12 as 12.0
        raise ValueError("expected a whole number") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("expected a number") from None
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _boolean(text: str) -> bool:
    match text.strip().lower():
        case "true" | "1" | "yes":
            return True
        case "false" | "0" | "no":
            return False
    raise ValueError("expected true or false")


def _names(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text or "[]")
    except json.JSONDecodeError as error:
        raise ValueError(
            f"expected a JSON list of strings ({error.msg} at character {error.pos + 1})"
        ) from None
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ValueError('expected a JSON list of non-empty strings, for example ["0", "1"]')
    if len(set(value)) != len(value):
        raise ValueError("a name stands in the list twice")
    return tuple(value)


def _split(text: str) -> Split:
    text = text.strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    if not 0 <= number <= 1:
        raise ValueError("a share lies between 0 and 1")
    return Fraction(str(number)) or None  # the decimal as written: 0.7 + 0.2 + 0.1 is exactly 1


_PARSERS: Mapping[ParameterType, Callable[[str], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "string": str.strip,
    "json": _names,
    "split": _split,
}


def _value(row: Parameter, text: str) -> Any:
    value = _PARSERS[row.type](text)
    if row.minimum is not None and value < row.minimum:
        raise ValueError(f"must be at least {row.minimum:g}")
    if row.maximum is not None and value > row.maximum:
        raise ValueError(f"must be at most {row.maximum:g}")
    return value if row.choices is None else _choice(row.choices, value)


def _choice(choices: tuple[str, ...], value: str) -> str:
    """The choice as the table spells it: YAML turns ``true`` into a boolean and tools print it ``True``."""
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise ValueError(f"must be one of {', '.join(choices)}")


def parse(values: Mapping[str, str]) -> DetectionParameters:
    """Turn strings into ``DetectionParameters``; names that are left out take their default.

    Raises ``ParameterError`` with every problem at once: unknown names, wrong types, values out of range,
    shares that add up to more than 1, a pattern that is no regular expression.
    """
    table = {row.name: row for row in PARAMETERS}
    problems = [_unknown(name, table) for name in values if name not in table]
    parsed: dict[str, Any] = {}
    for row in PARAMETERS:
        text = values.get(row.name, row.default)
        try:
            parsed[row.name] = _value(row, text)
        except ValueError as error:
            problems.append(f"parameter {row.name}: {error}, got {text!r}")
    problems += _joint_problems(parsed)
    if problems:
        raise ParameterError(problems)
    parsed["model_name"] = MODEL_ALIASES.get(parsed["model_name"], parsed["model_name"])
    parsed["image_types"] = tuple(f".{suffix.lower().lstrip('.')}" for suffix in parsed["image_types"])
    return DetectionParameters(**parsed)


def _unknown(name: str, known: Mapping[str, Parameter]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"parameter {name}: unknown" + (f", did you mean {close[0]}?" if close else "")


def _joint_problems(parsed: Mapping[str, Any]) -> list[str]:
    """Rules over several parameters; those that failed on their own are absent from ``parsed``."""
    problems = []
    if "train" in parsed and parsed["train"] is None:
        problems.append("parameter train: a training needs pictures, give a share, a list file or a folder")
    shares = [
        share for name in ("train", "validation", "test") if isinstance(share := parsed.get(name), Fraction)
    ]
    if sum(shares) > 1:
        problems.append(
            f"parameters train, validation, test: the shares add up to {float(sum(shares)):g}, at most 1"
        )
    problems += [
        f"parameter {name}: must be 0 or at least 32, got {parsed[name]}"
        for name in ("input_width", "input_height")
        if 0 < parsed.get(name, 0) < 32
    ]
    if not parsed.get("image_types", (".jpg",)):
        problems.append("parameter image_types: name at least one suffix")
    try:
        re.compile(parsed.get("group_pattern", ""))
    except re.error as error:
        problems.append(f"parameter group_pattern: no regular expression ({error})")
    return problems


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The parameters passed as ``TRAINER_<NAME>`` variables; every other variable is ignored."""
    names = {f"{ENVIRONMENT_PREFIX}{row.name.upper()}": row.name for row in PARAMETERS}
    return {names[key]: value for key, value in environment.items() if key in names}


def catalogue() -> list[dict[str, Any]]:
    """The table as JSON-ready rows: name, type, default, minimum, maximum, choices, description."""
    order = ("name", "type", "default", "minimum", "maximum", "choices", "description")
    rows = (asdict(row) for row in PARAMETERS)
    return [{key: _jsonable(row[key]) if row[key] is not None else None for key in order} for row in rows]
