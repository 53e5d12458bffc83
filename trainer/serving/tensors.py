"""Tensors of the Open Inference Protocol: JSON, or bytes behind it (the extension ``binary_tensor_data``)."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.serving.errors import AnswerError, Fault

DATATYPES: Mapping[str, str] = {"UINT8": "|u1", "INT64": "<i8", "FP32": "<f4", "BOOL": "|b1"}
"""The protocol's word for NumPy's, little-endian; BYTES stands beside them."""
BYTES = "BYTES"
_SIZE = "binary_data_size"
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named array; ``data`` is flat, and bytes for every element where the type is BYTES."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: npt.NDArray[Any] | Sequence[bytes]

    def as_bytes(self) -> bytes:
        """The data as the binary extension has it: elements of BYTES after their lengths."""
        if isinstance(self.data, np.ndarray):
            return self.data.astype(DATATYPES[self.datatype]).tobytes()
        return b"".join(_LENGTH.pack(len(element)) + element for element in self.data)

    def as_json(self) -> dict[str, Any]:
        """The tensor as JSON; elements of BYTES are text here."""
        if isinstance(self.data, np.ndarray):
            return self._head() | {"data": self.data.tolist()}
        return self._head() | {"data": [element.decode() for element in self.data]}

    def as_head(self, size: int) -> dict[str, Any]:
        """The tensor as JSON whose data of ``size`` bytes follow."""
        return self._head() | {"parameters": {_SIZE: size}}

    def _head(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


def read_tensors(entries: Any, tail: memoryview) -> list[Tensor]:
    """The inputs of a request, whose binary data lie in ``tail`` one after the other.

    Raises ``AnswerError`` for anything that is no tensor, and for a tail that is longer or shorter.
    """
    if not isinstance(entries, list) or not entries:
        raise _bad("inputs must be a list of tensors")
    tensors = []
    for entry in entries:
        head = _Head.read(entry)
        if head.binary is None:
            tensors.append(head.from_json(entry.get("data")))
        else:
            tensors.append(head.from_bytes(tail[: head.binary]))
            tail = tail[head.binary :]
    if tail:
        raise _bad(f"{len(tail)} bytes follow the last tensor")
    return tensors


@dataclass(frozen=True, slots=True)
class _Head:
    name: str
    datatype: str
    shape: tuple[int, ...]
    binary: int | None

    @classmethod
    def read(cls, entry: Any) -> _Head:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise _bad("an input must be an object with a name")
        name, shape, datatype = entry["name"], entry.get("shape"), entry.get("datatype")
        if not isinstance(datatype, str) or datatype not in (BYTES, *DATATYPES):
            raise _bad(f"input {name!r}: datatype must be {BYTES} or one of {', '.join(DATATYPES)}")
        if not isinstance(shape, list) or not all(type(side) is int and 0 <= side < 2**31 for side in shape):
            raise _bad(f"input {name!r}: shape must be a list of whole numbers")
        parameters = entry.get("parameters")
        size = parameters.get(_SIZE) if isinstance(parameters, dict) else None
        if size is not None and (type(size) is not int or size < 0):
            raise _bad(f"input {name!r}: {_SIZE} must be a whole number")
        return cls(name, datatype, tuple(shape), size)

    def from_json(self, data: Any) -> Tensor:
        if self.datatype == BYTES:
            return self._checked(_texts(self.name, data), math.prod(self.shape))
        try:
            array = np.array(data)
        except (ValueError, OverflowError):  # lists of different lengths
            array = np.array(None)
        kinds = {"BOOL": "b", "FP32": "fiu"}.get(self.datatype, "iu")
        if array.size and array.dtype.kind not in kinds:
            raise _bad(f"input {self.name!r}: data must be numbers of the type {self.datatype}")
        wanted = np.dtype(DATATYPES[self.datatype])
        if wanted.kind in "iu" and array.size and not _fits(array, wanted):
            raise _bad(f"input {self.name!r}: data go beyond {self.datatype}")
        return self._checked(array.astype(wanted).ravel(), array.size)

    def from_bytes(self, data: memoryview) -> Tensor:
        if len(data) != self.binary:
            raise _bad(f"input {self.name!r}: {self.binary} bytes were announced, {len(data)} are there")
        if self.datatype == BYTES:
            elements = _elements(self.name, data)
            return self._checked(elements, len(elements))
        wanted = np.dtype(DATATYPES[self.datatype])
        if len(data) % wanted.itemsize:
            raise _bad(f"input {self.name!r}: {len(data)} bytes are no whole number of {self.datatype}")
        array: npt.NDArray[Any] = np.frombuffer(data, dtype=wanted)
        return self._checked(array, array.size)

    def _checked(self, data: npt.NDArray[Any] | Sequence[bytes], size: int) -> Tensor:
        if len(data) != math.prod(self.shape) or len(data) != size:
            raise _bad(f"input {self.name!r}: {len(data)} elements do not fill the shape {list(self.shape)}")
        return Tensor(self.name, self.datatype, self.shape, data)


def _fits(array: npt.NDArray[Any], wanted: np.dtype[Any]) -> bool:
    limits = np.iinfo(wanted)
    return bool(limits.min <= array.min() and array.max() <= limits.max)


def _texts(name: str, data: Any) -> list[bytes]:
    if not isinstance(data, list) or not all(isinstance(element, str) for element in data):
        raise _bad(f"input {name!r}: data must be a list of texts")
    return [element.encode("utf-8", "surrogatepass") for element in data]


def _elements(name: str, data: memoryview) -> list[bytes]:
    elements = []
    while data:
        if len(data) < _LENGTH.size:
            raise _bad(f"input {name!r}: an element has no length before it")
        (length,) = _LENGTH.unpack_from(data)
        data = data[_LENGTH.size :]
        if length > len(data):
            raise _bad(f"input {name!r}: an element of {length} bytes breaks off after {len(data)}")
        elements.append(bytes(data[:length]))
        data = data[length:]
    return elements


def _bad(message: str) -> AnswerError:
    return AnswerError(Fault.BAD_INPUT, message)
