"""The parameters of ``image-classification-train``.

Four defaults differ from the CV package: ``model_name`` and ``base_learning_rate`` (another network,
another optimizer), ``aicore_tracking`` (metrics are the point of a run), and ``class_names``, an empty list
instead of an empty text, which is accepted as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainer.parameters import common
from trainer.parameters.common import with_default
from trainer.parameters.scheme import Parameter, Split, Switch, whole_numbers
from trainer.parameters.table import ParameterTable, Parsed

MODEL_ALIASES = {"ImageClassifier/FPN-Resnet50-no-pooling": "compact"}

PROJECTION_LAYERS = Parameter(
    "projection_layers",
    "json",
    "[]",
    "JSON list of widths of dense layers between the pooled features and the last layer.",
    items="any",
    read=whole_numbers,
)
ADDITIONAL_AUGMENTATIONS = Parameter(
    "additional_augmentations",
    "boolean",
    "True",
    "Photometric changes, small rotations, scale, shift and shear.",
)


@dataclass(frozen=True, slots=True)
class ClassificationParameters(Parsed):
    """Every parameter, typed; the fields are the rows of ``TABLE``, in the same order."""

    model_name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    batch_size: int
    learning_rate_decay: bool
    projection_layers: tuple[int, ...]
    maximum_training_steps: int
    evaluation_frequency: float
    base_learning_rate: float
    additional_augmentations: bool
    aicore_tracking: bool
    seed: int
    image_types: tuple[str, ...]
    early_stopping: bool
    early_stopping_patience: int
    maximum_training_minutes: float
    input_width: int
    input_height: int
    precision: Literal["auto", "32", "bf16"]
    horizontal_flip: Switch
    bad_data: Literal["reject", "skip"]
    group_pattern: str
    weights: str
    num_workers: int
    accelerator: Literal["auto", "cpu", "gpu", "mps"]
    devices: int
    checkpoint_folder: str


TABLE: ParameterTable[ClassificationParameters] = ParameterTable(
    workflow="image-classification-train",
    rows=(
        Parameter(
            "model_name",
            "string",
            "compact",
            "Classifier to train; the CV package's name is accepted and trains the compact classifier.",
            choices=("compact", *MODEL_ALIASES),
            aliases=MODEL_ALIASES,
        ),
        common.TRAIN,
        common.VALIDATION,
        with_default(common.TEST, "val.txt"),
        common.CLASS_NAMES,
        with_default(common.BATCH_SIZE, "40"),
        common.LEARNING_RATE_DECAY,
        PROJECTION_LAYERS,
        common.MAXIMUM_TRAINING_STEPS,
        common.EVALUATION_FREQUENCY,
        common.BASE_LEARNING_RATE,
        ADDITIONAL_AUGMENTATIONS,
        common.AICORE_TRACKING,
        common.SEED,
        common.IMAGE_TYPES,
        common.ours(common.EARLY_STOPPING, "True", "Stop when accuracy on validation stands still."),
        common.EARLY_STOPPING_PATIENCE,
        common.MAXIMUM_TRAINING_MINUTES,
        common.INPUT_WIDTH,
        common.INPUT_HEIGHT,
        common.PRECISION,
        common.HORIZONTAL_FLIP,
        common.BAD_DATA,
        common.GROUP_PATTERN,
        common.WEIGHTS,
        common.NUM_WORKERS,
        common.ACCELERATOR,
        common.DEVICES,
        common.CHECKPOINT_FOLDER,
    ),
    build=ClassificationParameters,
    rule=common.split_problems,
)
