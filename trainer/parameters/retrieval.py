"""The parameters of ``triplet-distance-learning-train``.

Three defaults differ from the CV package: ``model_name`` and ``base_learning_rate`` (another network, another
optimizer) and ``aicore_tracking`` (metrics are the point of a run). ``work_dir_size`` had no effect there
and has none here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainer.parameters import common
from trainer.parameters.classification import ADDITIONAL_AUGMENTATIONS, PROJECTION_LAYERS
from trainer.parameters.common import with_default
from trainer.parameters.scheme import Parameter, Split, Switch, whole_numbers
from trainer.parameters.table import ParameterTable, Parsed

MODEL_ALIASES = {"TripletDistanceLearner/FPN-Resnet50": "compact"}


@dataclass(frozen=True, slots=True)
class RetrievalParameters(Parsed):
    """Every parameter, typed; the fields are the rows of ``TABLE``, in the same order."""

    model_name: str
    train: Split
    validation: Split
    test: Split
    index: Split
    sampler: str
    loss: Literal["MARGIN_LOSS", "NCA_LOSS", "CIRCLE_LOSS"]
    margin: float
    embedding_dimensions: int
    projection_layers: tuple[int, ...]
    learning_rate_decay: bool
    early_stopping: bool
    additional_augmentations: bool
    batch_size: int
    p_classes_per_batch: int
    k_examples_per_class: int
    maximum_training_steps: int
    evaluation_frequency: float
    base_learning_rate: float
    seed: int
    aicore_tracking: bool
    image_types: tuple[str, ...]
    evaluation_topk: tuple[int, ...]
    freeze_backbone: bool
    work_dir_size: int
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

    @property
    def class_names(self) -> tuple[str, ...]:
        """No parameter here: the folders are the classes."""
        return ()


_OWN_ROWS = (
    Parameter(
        "index",
        "split",
        "index.txt",
        f'Pictures that are searched: {common.SPLIT_FORMS}; "" searches the training pictures.',
    ),
    Parameter("sampler", "string", "PKSampler", "How a batch is put together.", choices=("PKSampler",)),
    Parameter(
        "loss",
        "string",
        "MARGIN_LOSS",
        "Loss on the distances within a batch.",
        choices=("MARGIN_LOSS", "NCA_LOSS", "CIRCLE_LOSS"),
    ),
    Parameter(
        "margin", "number", "0.5", "How much further other classes must be than the own class.", 0, 100
    ),
    Parameter("embedding_dimensions", "integer", "512", "Numbers an embedding has.", 2, 8192),
)

TABLE: ParameterTable[RetrievalParameters] = ParameterTable(
    workflow="triplet-distance-learning-train",
    rows=(
        Parameter(
            "model_name",
            "string",
            "compact",
            "Network to train; the CV package's name is accepted and trains the compact network.",
            choices=("compact", *MODEL_ALIASES),
            aliases=MODEL_ALIASES,
        ),
        common.TRAIN,
        common.VALIDATION,
        common.TEST,
        *_OWN_ROWS,
        PROJECTION_LAYERS,
        common.LEARNING_RATE_DECAY,
        with_default(common.EARLY_STOPPING, "False", "Stop when top_1_acc on validation stands still."),
        ADDITIONAL_AUGMENTATIONS,
        with_default(common.BATCH_SIZE, "8", "Pictures per batch of an evaluation; training takes p x k."),
        Parameter("p_classes_per_batch", "integer", "8", "Classes in a training batch.", 2, 1024),
        Parameter("k_examples_per_class", "integer", "8", "Pictures of each class in a batch.", 2, 1024),
        common.MAXIMUM_TRAINING_STEPS,
        common.EVALUATION_FREQUENCY,
        common.BASE_LEARNING_RATE,
        common.SEED,
        common.AICORE_TRACKING,
        common.IMAGE_TYPES,
        Parameter(
            "evaluation_topk",
            "json",
            "[1, 3, 5, 10, 30]",
            "JSON list of k for top_k_acc and rank_rate_k.",
            items="any",
            read=whole_numbers,
        ),
        Parameter("freeze_backbone", "boolean", "False", "Train the layers after the backbone only."),
        Parameter("work_dir_size", "integer", "20", "Has no effect; accepted as the CV package did.", 0),
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
    build=RetrievalParameters,
    rule=common.split_problems,
)
