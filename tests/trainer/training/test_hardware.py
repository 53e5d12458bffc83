"""The device and the arithmetic follow the machine unless the parameters say otherwise."""

from __future__ import annotations

import pytest
import torch

from trainer.errors import ParameterError
from trainer.training.hardware import choose_accelerator, choose_precision


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_accelerator("auto") == "gpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_accelerator("auto") == "cpu"


@pytest.mark.parametrize("wanted", ["gpu", "mps"])
def test_a_device_that_is_not_there_is_an_input_error(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ParameterError, match=wanted):
        choose_accelerator(wanted)


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"avx2": True}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_half_precision_only_where_the_processor_computes_in_it(
    abilities: dict[str, bool], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    assert choose_precision("auto", "cpu") == expected


def test_what_is_wanted_is_what_is_used() -> None:
    assert choose_precision("32", "gpu") == "32-true"
    assert choose_precision("bf16", "cpu") == "bf16-mixed"
