"""What every model folder has: weights as safetensors, a graph as ONNX, and a description of both."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import platform
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from onnxscript import opset18
from safetensors.torch import save
from torch import nn

from trainer.inference.card import DESCRIPTION, WEIGHTS

PACKAGES = ("corespec", "torch", "pytorch-lightning", "torchmetrics", "onnx", "numpy", "pillow")


def write_folder(
    network: nn.Module,
    deployed: nn.Module,
    size: tuple[int, int],
    outputs: Sequence[str],
    document: Mapping[str, Any],
    folder: Path,
    *,
    strict: bool = False,
) -> None:
    """Write ``model.safetensors``, ``model.onnx`` and, last, ``model.json``: with it a folder is whole.

    ``deployed`` is what ONNX holds: ``network`` behind bytes (B, 3, H, W), with ``outputs`` ready for use.
    """
    # Copies: some networks use one weight in several places, which safetensors refuses to store.
    weights = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in network.state_dict().items()
    }
    (folder / "model.safetensors").write_bytes(save(weights))
    export_onnx(deployed.cpu().eval(), size, outputs, folder / WEIGHTS, strict=strict)
    content = json.dumps({**document, "versions": _versions()}, indent=2, ensure_ascii=False)
    (folder / DESCRIPTION).write_text(content + "\n", encoding="utf-8")


def export_onnx(
    deployed: nn.Module, size: tuple[int, int], outputs: Sequence[str], path: Path, *, strict: bool = False
) -> None:
    """Write a module for one input size (width, height) and any batch size, weights inside the file.

    ``strict`` reads the code of the module instead of running it: needed where the code would take the batch
    size of the sample for the only one.
    """
    sample = torch.zeros((2, 3, size[1], size[0]), dtype=torch.uint8)
    shapes = {"pictures": {0: torch.export.Dim("batch", min=1, max=1024)}}
    graph: Any = deployed
    if strict:
        with warnings.catch_warnings():
            # The transformers note in a variable of their own what they return; it is not part of the graph.
            warnings.filterwarnings("ignore", message=".*certain side effects happened in the model")
            graph = torch.export.export(deployed, (sample,), dynamic_shapes=shapes, strict=True)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # the exporter prints its stages
        program = torch.onnx.export(
            graph,
            (sample,),
            dynamo=True,
            input_names=["pictures"],
            output_names=list(outputs),
            dynamic_shapes=shapes,
            custom_translation_table={torch.ops.aten._is_all_true.default: _all_true},
            verbose=False,
        )
    assert program is not None
    program.save(path, external_data=False)


def _all_true(values: Any) -> Any:
    """What `_is_all_true` is in ONNX; torch's exporter knows every operator of the transformers but this."""
    operators: Any = opset18
    integer, boolean = 6, 9  # of onnx.TensorProto
    return operators.Cast(operators.ReduceMin(operators.Cast(values, to=integer), keepdims=0), to=boolean)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
