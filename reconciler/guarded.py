"""A pipe to AI Core that asks before every request which changes something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.aicore import Pipe


class Guarded:
    """`pipe` with `before_write()` called first wherever it writes; that call forbids a write by raising."""

    def __init__(self, pipe: Pipe, before_write: Callable[[], None]) -> None:
        self._pipe, self._before_write = pipe, before_write

    def get(
        self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        return self._pipe.get(path, params, *_beside(headers))

    def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        self._before_write()
        return self._pipe.post(path, body, *_beside(headers))

    def patch(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        self._before_write()
        return self._pipe.patch(path, body, *_beside(headers))

    def delete(self, path: str) -> Mapping[str, Any]:
        self._before_write()
        return self._pipe.delete(path)


def _beside(headers: Mapping[str, str] | None) -> tuple[Mapping[str, str], ...]:
    return () if headers is None else (headers,)
