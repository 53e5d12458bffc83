"""The errors of the protocol: codes and statuses are those of sap-computer-vision-package 1.1.7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """What went wrong, in numbers that clients of the old server know."""

    UNKNOWN_URL = 10000000
    WRONG_METHOD = 10000001
    UNKNOWN_MODEL = 10000100
    BAD_INPUT = 10000200
    MODEL_FAILED = 10010301
    INTERNAL = 10020000
    """Our own number: the old server had none for this."""
    LOADING = 10020100
    DEADLINE = 10020400


STATUS: Mapping[Code, int] = {
    Code.UNKNOWN_URL: 404,
    Code.WRONG_METHOD: 405,
    Code.UNKNOWN_MODEL: 404,
    Code.BAD_INPUT: 400,
    Code.MODEL_FAILED: 400,
    Code.INTERNAL: 500,
    Code.LOADING: 503,
    Code.DEADLINE: 400,
}


class AnswerError(Exception):
    """A request that is answered with an error; the message is for the client."""

    def __init__(self, code: Code, message: str, details: Sequence[Mapping[str, Any]] = ()) -> None:
        self.code = code
        self.message = message
        self.details = [dict(detail) for detail in details]
        super().__init__(message)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    def as_dict(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"error": {"code": int(self.code), "message": self.message, "details": self.details}}
