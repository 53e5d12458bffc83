"""What has to happen in a process before torch and Lightning are imported."""

from __future__ import annotations

import logging
import os

_TALKATIVE = (
    "faster_coco_eval",
    "lightning_fabric",
    "onnx_ir",
    "onnxscript",
    "pytorch_lightning",
    "transformers",
)


def prepare_torch() -> None:
    """Settle what is read once, on loading: call it after the data are known to be sound."""
    # Waiting threads that spin starve the others where cores are shared; OpenMP reads this once, on loading.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from trainer.torchvision_remedy import ensure_torchvision

    ensure_torchvision()


def process_rank() -> int:
    """This process's place among those of its training; 0 before there are any. The first one speaks."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


def quieten_libraries() -> None:
    """Call it after the imports: some libraries set their own level when imported."""
    for talkative in _TALKATIVE:
        logging.getLogger(talkative).setLevel(logging.ERROR)
