"""Where and in what arithmetic to compute."""

from __future__ import annotations

from typing import Literal

import torch

from trainer.errors import ParameterError

Precision = Literal["32-true", "bf16-mixed"]


def choose_accelerator(wanted: str) -> str:
    """Lightning's name of the device: what is ``wanted``, a GPU before the CPU for ``auto``.

    Raises ``ParameterError`` for a device that is not there.
    """
    if wanted == "auto":
        return "gpu" if torch.cuda.is_available() else "cpu"
    if wanted == "gpu" and not torch.cuda.is_available():
        raise ParameterError(["parameter accelerator: gpu, but torch finds no GPU here; use auto or cpu"])
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise ParameterError(["parameter accelerator: mps, but this is no Apple GPU; use auto or cpu"])
    return wanted


def choose_devices(wanted: int, accelerator: str) -> int:
    """How many devices compute, each in a process of its own; 0 means every GPU, or one process on a CPU.

    Raises ``ParameterError`` for more GPUs than there are.
    """
    there = torch.cuda.device_count() if accelerator == "gpu" else 1
    if accelerator == "gpu" and wanted > there:
        raise ParameterError([f"parameter devices: {wanted}, but torch finds {there} GPUs here"])
    if accelerator == "mps" and wanted > 1:
        raise ParameterError(["parameter devices: Apple's GPU is one device; use 0 or 1"])
    return wanted or there


def choose_precision(wanted: str, accelerator: str) -> Precision:
    """bfloat16 where the processor computes in it: on CPUs that have it, it more than doubles the speed."""
    if wanted != "auto":
        return "bf16-mixed" if wanted == "bf16" else "32-true"
    if accelerator == "gpu":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    able = torch.cpu.get_capabilities()
    return "bf16-mixed" if able.get("avx512_bf16") or able.get("amx_bf16") else "32-true"
