"""The parameters of ``object-detection-train``.

Three defaults differ from the CV package: ``model_name`` and ``base_learning_rate`` (another detector,
another optimizer) and ``aicore_tracking`` (metrics are the point of a run).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainer.detection.pretrained.catalogue import BLUEPRINTS
from trainer.parameters import common
from trainer.parameters.common import with_default
from trainer.parameters.scheme import Parameter, Split, Switch, boolean
from trainer.parameters.table import ParameterTable, Parsed

MODEL_ALIASES = {"COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml": "compact"}


AUGMENTATIONS = ("colour", "blur", "glare", "noise", "rotation", "scale", "mosaic")
"""What can be done to pictures in training; ``True`` stands for all but the last."""


def augmentations(text: str) -> tuple[str, ...]:
    """The names in ``text``, separated by commas; all but ``mosaic`` for true, none for false."""
    try:
        return AUGMENTATIONS[:-1] if boolean(text) else ()
    except ValueError:
        chosen = tuple(name.strip() for name in text.split(","))
    if unknown := sorted(set(chosen) - set(AUGMENTATIONS)):
        raise ValueError(
            f"expected True, False or some of {', '.join(AUGMENTATIONS)}; not {', '.join(map(repr, unknown))}"
        )
    return tuple(name for name in AUGMENTATIONS if name in chosen)


@dataclass(frozen=True, slots=True)
class DetectionParameters(Parsed):
    """Every parameter, typed; the fields are the rows of ``TABLE``, in the same order."""

    model_name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    box_mode: str
    batch_size: int
    learning_rate_decay: bool
    early_stopping: bool
    additional_augmentations: tuple[str, ...]
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
    devices: int
    checkpoint_folder: str


TABLE: ParameterTable[DetectionParameters] = ParameterTable(
    workflow="object-detection-train",
    rows=(
        Parameter(
            "model_name",
            "string",
            "compact",
            "Detector to train: compact, or a larger one with published weights; the CV package's name means "
            "compact.",
            choices=("compact", *BLUEPRINTS, *MODEL_ALIASES),
            aliases=MODEL_ALIASES,
        ),
        common.TRAIN,
        common.VALIDATION,
        common.TEST,
        common.CLASS_NAMES,
        Parameter("box_mode", "string", "XYXY_ABS", "How boxes are written.", choices=("XYXY_ABS",)),
        common.BATCH_SIZE,
        common.LEARNING_RATE_DECAY,
        with_default(common.EARLY_STOPPING, "True", "Stop when mAP/allClasses on validation stands still."),
        Parameter(
            "additional_augmentations",
            "string",
            "True",
            "Changes of the pictures in training: some of colour, blur, glare, noise, rotation, scale and "
            "mosaic, separated by commas; True: all but mosaic.",
            read=augmentations,
        ),
        common.MAXIMUM_TRAINING_STEPS,
        common.EVALUATION_FREQUENCY,
        with_default(
            common.BASE_LEARNING_RATE,
            "0.002",
            "Peak learning rate of AdamW; that of Muon, for the convolutions, is ten times as high.",
        ),
        common.SEED,
        common.AICORE_TRACKING,
        common.IMAGE_TYPES,
        common.MAXIMUM_TRAINING_MINUTES,
        common.INPUT_WIDTH,
        common.INPUT_HEIGHT,
        common.PRECISION,
        common.HORIZONTAL_FLIP,
        Parameter(
            "class_agnostic_nms",
            "string",
            "auto",
            "Let boxes of different classes suppress each other; auto: where every class is one digit or "
            "letter.",
            choices=("auto", "true", "false"),
            origin="corespec",
        ),
        common.BAD_DATA,
        common.GROUP_PATTERN,
        common.EARLY_STOPPING_PATIENCE,
        with_default(
            common.WEIGHTS,
            "",
            "Weights to start from, a file or folder relative to the dataset, or random; "
            '"" takes the published ones, which compact has not.',
        ),
        common.NUM_WORKERS,
        common.ACCELERATOR,
        common.DEVICES,
        common.CHECKPOINT_FOLDER,
    ),
    build=DetectionParameters,
    rule=common.split_problems,
)
parse = TABLE.parse
