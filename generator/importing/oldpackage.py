"""What is known of the content package sap-cv 1.1.7: its workflows, and the defaults that differ from ours.

Facts only: names and values as the package's templates showed them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from generator.catalog import Workflow
from generator.spec.parameters import Parameter, UnfitValueError, canonical

PACKAGE = "sap-cv"

#: Machine size that the package wrote into every template of a kind of workflow.
PLANS = {"training": "train.l", "batch": "train.l", "serving": "infer.s"}

# Defaults that differ from the catalogue's, by workflow; all others of the package are ours too.
_COMMON = {"base_learning_rate": "0.00025", "aicore_tracking": "False"}
_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "object-detection-train": {"model_name": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", **_COMMON},
    "image-classification-train": {
        "model_name": "ImageClassifier/FPN-Resnet50-no-pooling",
        "class_names": "[]",
        **_COMMON,
    },
    "triplet-distance-learning-train": {"model_name": "TripletDistanceLearner/FPN-Resnet50", **_COMMON},
}

_NAMES: Mapping[str, re.Pattern[str]] = {
    "object-detection-train": re.compile(r"obj(?:ect)?-?det"),
    "image-classification-train": re.compile(r"(?:image|img)-?class|classif"),
    "triplet-distance-learning-train": re.compile(r"triplet|distance-learning|retrieval"),
    "batch-processing": re.compile(r"batch"),
    "model-serving": re.compile(r"serving|serve(?:r)?(?:-|$)"),
}


def guess_workflow(*names: str) -> tuple[str, str] | None:
    """The workflow that the first telling name speaks of, and that name; None when none does, or one speaks
    of several."""
    for name in names:
        folded = name.casefold().replace("_", "-")
        found = [workflow for workflow, pattern in _NAMES.items() if pattern.search(folded)]
        if len(found) == 1:
            return found[0], name
        if found:
            return None
    return None


def old_default(workflow: str, parameter: Parameter) -> str:
    """The package's default, as the canonical string of the catalogue."""
    own = _DEFAULTS.get(workflow, {}).get(parameter.name, parameter.default)
    return canonical(parameter, own)


def changed_defaults(workflow: Workflow) -> dict[str, tuple[str, str]]:
    """Parameters of the package whose default is another here: name -> (there, here)."""
    pairs = {
        name: (old_default(workflow.name, item), canonical(item, item.default))
        for name, item in workflow.parameters.items()
        if item.origin != "corespec"
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def chosen(workflow: Workflow, values: Mapping[str, object]) -> dict[str, str]:
    """The values that somebody chose: neither the package's default nor ours. Canonical strings by name.

    Names that the workflow does not have are left out. Raises UnfitValueError, its message beginning with the
    name, for a value that the parameter cannot take.
    """
    result: dict[str, str] = {}
    for name, value in values.items():
        parameter = workflow.parameters.get(name)
        if parameter is None:
            continue
        try:
            text = canonical(parameter, _respelled(parameter, decoded(value)))
        except UnfitValueError as error:
            raise UnfitValueError(error.code, f"{name}: {error}") from None
        if text not in {old_default(workflow.name, parameter), canonical(parameter, parameter.default)}:
            result[name] = text
    return result


def _respelled(parameter: Parameter, value: object) -> object:
    """The package took an empty text for an empty list."""
    return "[]" if parameter.type == "json" and value == "" else value


def decoded(value: object) -> object:
    """Metaflow wrote defaults as JSON: `"\\"val.txt\\""` is val.txt; any other value stays."""
    if isinstance(value, str) and value.startswith('"') and value.endswith('"') and len(value) > 1:
        try:
            inner = json.loads(value)
        except ValueError:
            return value
        return inner if isinstance(inner, str) else value
    return value
