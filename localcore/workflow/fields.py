"""Reading fields of a template strictly: an unknown or unsupported field is an error that names it."""

from __future__ import annotations

import re
from typing import Any

from localcore.workflow.errors import WorkflowError

_NUMBER = r"\d+(?:\.\d+)?"
_UNITS = {"ms": 0.001, "h": 3600.0, "m": 60.0, "s": 1.0, "d": 86400.0}


def mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WorkflowError(f"{where} must be a mapping")
    return value


def mappings(value: Any, where: str) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise WorkflowError(f"{where} must be a list")
    return [mapping(item, f"{where}[{number}]") for number, item in enumerate(value)]


def text(value: Any, where: str) -> str:
    """A text; numbers and truth values as YAML writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise WorkflowError(f"{where} must be a text")


def texts(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise WorkflowError(f"{where} must be a list of texts")
    return tuple(text(item, f"{where}[{number}]") for number, item in enumerate(value))


def name(found: dict[str, Any], where: str) -> str:
    value = found.get("name")
    if not isinstance(value, str) or not value:
        raise WorkflowError(f"{where}: name is missing")
    return value


def words(text: str) -> frozenset[str]:
    """The names in a text, separated by blanks: long lists of field names stay readable this way."""
    return frozenset(text.split())


def known(found: dict[str, Any], allowed: frozenset[str], where: str) -> None:
    """Refuse what would otherwise be silently left undone."""
    unknown = sorted(set(found) - allowed)
    if unknown:
        raise WorkflowError(f"{where}: {unknown[0]} is not supported by the local AI Core")


def seconds(value: Any, where: str) -> float | None:
    """A duration: a number of seconds, or Go's form such as 90s, 1m30s, 500ms, 1h."""
    if value is None:
        return None
    written = text(value, where).strip()
    if re.fullmatch(_NUMBER, written):
        return float(written)
    if not re.fullmatch(f"({_NUMBER}({'|'.join(_UNITS)}))+", written):
        raise WorkflowError(f"{where}: {written!r} is not a duration; 90, 90s, 1m30s and 500ms are")
    parts = re.findall(f"({_NUMBER})({'|'.join(_UNITS)})", written)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def whole(value: Any, where: str) -> int:
    """A whole number that is not negative."""
    written = text(value, where).strip()
    if not written.isdecimal():
        raise WorkflowError(f"{where}: {written!r} is not a whole number")
    return int(written)
