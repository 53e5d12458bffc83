"""Makes ``import torchvision`` work where its native library cannot be loaded.

A CUDA build of torchvision on a CPU build of torch fails to load its C++ operators and hides that, and
then its import dies with ``operator torchvision::nms does not exist`` because it describes operators that
were never defined. torchmetrics and Lightning import torchvision wherever it is installed, so they die
with it. The remedy is to declare the two operators that are described, and to import again. They get no
implementation: torchvision keeps saying that its operators are unavailable, and nothing here calls them.
Where torchvision is whole nothing is touched.

Call ``ensure_torchvision()`` before torchmetrics or Lightning are imported.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import sys
from typing import Literal

import torch

from trainer.errors import TrainerError

logger = logging.getLogger(__name__)

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


class TorchvisionMissingError(TrainerError):
    """torchvision is not installed, or is broken in a way that no remedy is known for."""


@functools.cache
def ensure_torchvision() -> Literal["native", "remedied"]:
    """Import torchvision; say whether it was whole or had to be helped.

    Raises ``TorchvisionMissingError`` where it is absent or broken otherwise.
    """
    if importlib.util.find_spec("torchvision") is None:
        raise TorchvisionMissingError(
            "torchvision is not installed; the training needs it: pip install 'corespec[train]'"
        )
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise TorchvisionMissingError(
                f"torchvision does not import ({error}); install the build that matches torch "
                f"{torch.__version__}: pip install 'corespec[train]'"
            ) from error
        _define_operators()
        _forget("torchvision")
        importlib.import_module("torchvision")
        logger.info(
            "torchvision's native operators do not load beside torch %s; its Python parts are used",
            torch.__version__,
        )
        return "remedied"
    return "native"


@functools.cache
def _define_operators() -> torch.library.Library:
    """Define what torchvision describes; the library object must live as long as the process."""
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


def _forget(package: str) -> None:
    """Drop a half-imported package, so that the next import runs its modules again."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
