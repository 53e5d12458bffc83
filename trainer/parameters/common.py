"""Rows that several workflows share, and the rules that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal, Protocol

from trainer.parameters.scheme import Parameter, Split, pattern, side, suffixes


class DataParameters(Protocol):
    """What reading a dataset depends on; the dataclasses of every training have it."""

    @property
    def train(self) -> Split: ...
    @property
    def validation(self) -> Split: ...
    @property
    def test(self) -> Split: ...
    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def seed(self) -> int: ...
    @property
    def image_types(self) -> tuple[str, ...]: ...
    @property
    def bad_data(self) -> Literal["reject", "skip"]: ...
    @property
    def group_pattern(self) -> str: ...


class TrainingParameters(DataParameters, Protocol):
    """What a training depends on, whatever it learns."""

    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate_decay(self) -> bool: ...
    @property
    def early_stopping(self) -> bool: ...
    @property
    def early_stopping_patience(self) -> int: ...
    @property
    def maximum_training_steps(self) -> int: ...
    @property
    def maximum_training_minutes(self) -> float: ...
    @property
    def evaluation_frequency(self) -> float: ...
    @property
    def base_learning_rate(self) -> float: ...
    @property
    def aicore_tracking(self) -> bool: ...
    @property
    def precision(self) -> str: ...
    @property
    def accelerator(self) -> str: ...
    @property
    def devices(self) -> int: ...
    @property
    def checkpoint_folder(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def num_workers(self) -> int: ...
    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values."""


SPLITS = ("train", "validation", "test", "index")
SPLIT_FORMS = "a share such as 0.8, a list file such as train.txt, or a sub-folder"

TRAIN = Parameter("train", "split", "train.txt", f"Pictures to train on: {SPLIT_FORMS}.")
VALIDATION = Parameter(
    "validation", "split", "val.txt", f'Pictures that steer the training: {SPLIT_FORMS}; "" for none.'
)
TEST = Parameter("test", "split", "test.txt", f'Pictures for the final figures: {SPLIT_FORMS}; "" for none.')
CLASS_NAMES = Parameter(
    "class_names",
    "json",
    "[]",
    "JSON list of class names in index order; [] collects them.",
    items="string",
)
BATCH_SIZE = Parameter("batch_size", "integer", "12", "Pictures per optimizer step.", 1, 4096)
LEARNING_RATE_DECAY = Parameter(
    "learning_rate_decay", "boolean", "True", "Lower the learning rate towards the end."
)
EARLY_STOPPING = Parameter("early_stopping", "boolean", "True", "Stop when validation stands still.")
MAXIMUM_TRAINING_STEPS = Parameter(
    "maximum_training_steps", "integer", "3000", "Optimizer steps at most.", 1, 10_000_000
)
EVALUATION_FREQUENCY = Parameter(
    "evaluation_frequency",
    "number",
    "0.1",
    "Evaluate every so many steps; a value up to 1 is a share of the training, in steps or minutes.",
    0.0001,
    10_000_000,
)
BASE_LEARNING_RATE = Parameter(
    "base_learning_rate", "number", "0.002", "Peak learning rate of AdamW.", 1e-8, 1.0
)
SEED = Parameter("seed", "integer", "1337", "Seed of the splits, the weights and the batches.", 0, 2**32 - 1)
AICORE_TRACKING = Parameter(
    "aicore_tracking", "boolean", "True", "Push metrics to AI Core's tracking service."
)
IMAGE_TYPES = Parameter(
    "image_types",
    "json",
    '[".jpg", ".jpeg", ".png"]',
    "JSON list of file suffixes that are pictures.",
    items="string",
    read=suffixes,
)
MAXIMUM_TRAINING_MINUTES = Parameter(
    "maximum_training_minutes",
    "number",
    "0",
    "Wall-clock minutes of training at most; 0 sets no limit.",
    0,
    100_000,
    origin="corespec",
)
INPUT_WIDTH = Parameter(
    "input_width",
    "integer",
    "0",
    "Network input width in pixels; 0 chooses from the data.",
    0,
    4096,
    origin="corespec",
    read=side,
)
INPUT_HEIGHT = replace(
    INPUT_WIDTH, name="input_height", description="Network input height in pixels; 0 chooses from the data."
)
PRECISION = Parameter(
    "precision",
    "string",
    "auto",
    "Arithmetic of the training.",
    choices=("auto", "32", "bf16"),
    origin="corespec",
)
HORIZONTAL_FLIP = Parameter(
    "horizontal_flip",
    "string",
    "auto",
    "Mirror pictures in training; auto: not where a class name is a digit or a letter.",
    choices=("auto", "true", "false"),
    origin="corespec",
)
BAD_DATA = Parameter(
    "bad_data",
    "string",
    "reject",
    "reject refuses a dataset with any faulty picture; skip leaves those pictures out.",
    choices=("reject", "skip"),
    origin="corespec",
)
GROUP_PATTERN = Parameter(
    "group_pattern",
    "string",
    "",
    "Regular expression searched in the file stem; pictures with the same match stay in one split.",
    origin="corespec",
    read=pattern,
)
EARLY_STOPPING_PATIENCE = Parameter(
    "early_stopping_patience",
    "integer",
    "5",
    "Evaluations without progress before stopping.",
    1,
    10_000,
    origin="corespec",
)
WEIGHTS = Parameter(
    "weights",
    "string",
    "",
    'Weights file to start from, relative to the dataset; "" starts at random.',
    origin="corespec",
)
NUM_WORKERS = Parameter(
    "num_workers",
    "integer",
    "0",
    "Extra processes that read pictures; 0 reads in the trainer.",
    0,
    256,
    origin="corespec",
)
ACCELERATOR = Parameter(
    "accelerator",
    "string",
    "auto",
    "Where to compute.",
    choices=("auto", "cpu", "gpu", "mps"),
    origin="corespec",
)
DEVICES = Parameter(
    "devices",
    "integer",
    "0",
    "GPUs to train on, or processes on a CPU, that share every batch; 0 takes every GPU, on a CPU one.",
    0,
    64,
    origin="corespec",
)
CHECKPOINT_FOLDER = Parameter(
    "checkpoint_folder",
    "string",
    "",
    'Folder that checkpoints/ lies in; "" is the model folder. On a volume, a retried pod goes on.',
    origin="corespec",
)


def with_default(row: Parameter, default: str, description: str = "") -> Parameter:
    """The row with another default, and another description where one is given."""
    return replace(row, default=default, description=description or row.description)


def ours(row: Parameter, default: str, description: str) -> Parameter:
    """The row where the CV package's workflow did not have it."""
    return replace(row, default=default, description=description, origin="corespec")


def split_problems(parsed: Mapping[str, Any]) -> list[str]:
    """A training needs pictures, and shares must not add up to more than all of them."""
    problems = []
    if "train" in parsed and parsed["train"] is None:
        problems.append("parameter train: a training needs pictures, give a share, a list file or a folder")
    shares = [share for name in SPLITS if isinstance(share := parsed.get(name), Fraction)]
    if sum(shares) > 1:
        problems.append(
            f"parameters {', '.join(name for name in SPLITS if name in parsed)}: "
            f"the shares add up to {float(sum(shares)):g}, at most 1"
        )
    return problems
