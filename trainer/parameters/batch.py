"""The parameters of ``batch-processing``: names and defaults of the CV package, and four of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainer.parameters import common
from trainer.parameters.scheme import Parameter
from trainer.parameters.table import ParameterTable, Parsed

IOU_THRESHOLD = Parameter(
    "iou_threshold",
    "number",
    "-1.0",
    "Detectors: boxes that overlap by more (IoU) exclude each other; a negative value is the model's own.",
    -1,
    1,
)
SCORE_THRESHOLD = Parameter(
    "score_threshold",
    "number",
    "-1",
    "Detectors: lowest score to report; a negative value is the model's own.",
    -1,
    1,
    origin="corespec",
)


@dataclass(frozen=True, slots=True)
class BatchParameters(Parsed):
    """Every parameter, typed; the fields are the rows of ``TABLE``, in the same order."""

    model_file: str
    batch_size: int
    image_types: tuple[str, ...]
    iou_threshold: float
    score_threshold: float
    draw_boxes: bool
    accelerator: Literal["auto", "cpu", "gpu"]
    aicore_tracking: bool


TABLE: ParameterTable[BatchParameters] = ParameterTable(
    workflow="batch-processing",
    rows=(
        Parameter(
            "model_file",
            "string",
            "",
            'Model inside modelin: its folder or a file in it; "" takes the only one there is.',
        ),
        Parameter("batch_size", "integer", "0", "Pictures computed at once; 0 chooses.", 0, 1024),
        common.IMAGE_TYPES,
        IOU_THRESHOLD,
        SCORE_THRESHOLD,
        Parameter(
            "draw_boxes",
            "boolean",
            "False",
            "Detectors: write a copy of every picture with its boxes drawn.",
            origin="corespec",
        ),
        Parameter(
            "accelerator",
            "string",
            "auto",
            "Where to compute.",
            choices=("auto", "cpu", "gpu"),
            origin="corespec",
        ),
        common.ours(
            common.AICORE_TRACKING, "True", "Push counts and progress to AI Core's tracking service."
        ),
    ),
    build=BatchParameters,
)
