"""What can go wrong: an answer to a client (`ApiError`) or a reason not to start (`StartError`)."""

from __future__ import annotations

from typing import Any


class LocalcoreError(Exception):
    """The root of this package's errors."""


class StartError(LocalcoreError):
    """The server cannot start; the message is one line that says what to do. Exit code 2."""


class StoreError(LocalcoreError):
    """The database belongs to a newer version of this program, or is damaged."""


class ObjectStoreError(LocalcoreError):
    """An artifact cannot be read or written; the message names its URL, never a credential."""


class ApiError(LocalcoreError):
    """An answer of AI Core's error form: HTTP status, descriptive code, message, and the field at fault."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, target: str = "", details: Any = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or str(status)
        self.message = message
        self.target = target
        self.details = details


def not_found(kind: str, identifier: str, code: str = "404") -> ApiError:
    return ApiError(404, f"{kind} '{identifier}' was not found.", code=code)


def invalid(field: str, message: str) -> ApiError:
    """400 naming the field."""
    return ApiError(400, f"Invalid Request, {field}: {message}", code="01010019", target=field)


def forbidden_by_state(message: str) -> ApiError:
    """412: the object's state does not allow the change (aicore.md section 3)."""
    return ApiError(412, f"Invalid Request, {message}", code="01010076")
