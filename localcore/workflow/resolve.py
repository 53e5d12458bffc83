"""Tags `{{…}}` and the scope they are looked up in; pure.

One pass: what a value contains is never read as a tag again. An unknown tag is an error, never an empty text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from localcore.workflow.errors import WorkflowError

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def resolve(text: str, scope: Mapping[str, str]) -> str:
    """Replace every tag by its value. Raises WorkflowError naming an unknown tag."""

    def value(match: re.Match[str]) -> str:
        key = match[1].strip()
        if key in scope:
            return scope[key]
        reason = (
            "expression tags are not supported by the local AI Core"
            if key.startswith("=")
            else "no such value"
        )
        raise WorkflowError(f"cannot resolve {{{{{key}}}}}: {reason}")

    return _TAG.sub(value, text)


def reference(text: str) -> str:
    """The key of a text that is one tag and nothing else, as `from` holds it."""
    match = _TAG.fullmatch(text.strip())
    if match is None:
        raise WorkflowError(f"{text!r} is not a reference of the form {{{{…}}}}")
    return match[1].strip()


def item_scope(item: Any) -> dict[str, str]:
    """What `{{item}}` and `{{item.key}}` stand for in one round of a loop."""
    if isinstance(item, dict):
        parts = {f"item.{key}": _plain(value) for key, value in item.items()}
        return {"item": json.dumps(item)} | parts
    return {"item": _plain(item)}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def bind_parameters(
    declared: Mapping[str, str | None], bound: Mapping[str, str], where: str
) -> dict[str, str]:
    """Bound values over defaults; refuses a missing value and an unknown name."""
    unknown = sorted(set(bound) - set(declared))
    if unknown:
        raise WorkflowError(f"{where}: there is no parameter {unknown[0]}")
    values = {name: bound.get(name, default) for name, default in declared.items()}
    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        raise WorkflowError(
            f"{where}: spec.arguments.{missing[0]}.value is required: the parameter has no value"
        )
    return {name: value for name, value in values.items() if value is not None}
