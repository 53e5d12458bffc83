"""Reading fields of a template strictly: an unknown or unsupported field is an error that names it."""

from __future__ import annotations

from typing import Any

from localcore.workflow.errors import WorkflowError


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
    """A duration: a number of seconds, or Go's form such as 90s, 5m, 1h."""
    if value is None:
        return None
    written = text(value, where).strip()
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    factor = units.get(written[-1:], 1.0)
    try:
        number = float(written[:-1] if written[-1:] in units else written)
    except ValueError:
        raise WorkflowError(f"{where}: {written!r} is not a duration") from None
    if number < 0:
        raise WorkflowError(f"{where}: a duration cannot be negative")
    return number * factor
