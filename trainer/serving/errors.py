"""What a request can be answered with instead of a result, in the words of both protocols.

Codes and statuses of ``/v1`` are those of sap-computer-vision-package 1.1.7, whose clients know them; ``/v2``
speaks the Open Inference Protocol, where the status says more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

RETRY_SECONDS = 1
"""What a refused client is told to wait: requests take milliseconds."""


class Fault(Enum):
    """Code and HTTP status under ``/v1``, HTTP status under ``/v2``."""

    UNKNOWN_URL = (10000000, 404, 404)
    WRONG_METHOD = (10000001, 405, 405)
    UNKNOWN_MODEL = (10000100, 404, 404)
    BAD_INPUT = (10000200, 400, 400)
    TOO_LARGE = (10000200, 400, 413)
    BAD_PICTURE = (10000200, 400, 422)
    MODEL_FAILED = (10010301, 400, 400)
    INTERNAL = (10020000, 500, 500)
    """Our own number, like that of BUSY: the old server had none for these."""
    LOADING = (10020100, 503, 503)
    BUSY = (10020200, 503, 503)
    DEADLINE = (10020400, 400, 504)

    @property
    def code(self) -> int:
        """The number of the old protocol."""
        return self.value[0]

    def status(self, path: str) -> int:
        """The HTTP status at an address."""
        return self.value[2] if speaks_v2(path) else self.value[1]

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed in a moment."""
        return self in (Fault.LOADING, Fault.BUSY)


class AnswerError(Exception):
    """A request that is answered with an error; the message is for the client.

    ``limit`` is what it went beyond, if that is why: size, pictures, pixels, queue or time.
    """

    def __init__(
        self, fault: Fault, message: str, details: Sequence[Mapping[str, Any]] = (), *, limit: str = ""
    ) -> None:
        self.fault = fault
        self.limit = limit
        self.message = message
        self.details = [dict(detail) for detail in details]
        super().__init__(message)

    def body(self, path: str) -> dict[str, Any]:
        """The body of the answer at an address."""
        if speaks_v2(path):
            return {"error": self.message}
        return {"error": {"code": self.fault.code, "message": self.message, "details": self.details}}

    def headers(self) -> dict[str, str]:
        """``Retry-After`` where waiting helps."""
        return {"Retry-After": str(RETRY_SECONDS)} if self.fault.passing else {}


def speaks_v2(path: str) -> bool:
    """Whether an address belongs to the Open Inference Protocol."""
    return path == "/v2" or path.startswith("/v2/")


def overdue() -> AnswerError:
    """The answer to a request that took too long."""
    message = "the request took longer than requesttimeout: send fewer or smaller"
    return AnswerError(Fault.DEADLINE, message, limit="time")
