"""Filters of lists: search texts and label selectors, checked against the limits of aicore.md section 3."""

from __future__ import annotations

import re

from fastapi import Request

from localcore.api.context import items, parameter
from localcore.errors import invalid
from localcore.store.query import Where

_SEARCH = re.compile(r"[^~]{1,80}")
_SELECTOR = re.compile(r"([^=!,\s]+)\s*(!=|==|=)\s*([^,]*)")


def search(request: Request, where: Where, columns: tuple[str, ...]) -> Where:
    """`$search` in the columns; `searchCaseInsensitive` as the SDK spells true: `True`."""
    text = parameter(request, "search")
    if text is not None and not _SEARCH.fullmatch(text):
        raise invalid("$search", "1 to 80 characters other than ~ are allowed")
    folded = request.query_params.get("searchCaseInsensitive", "").lower() == "true"
    return where.search(columns, text, case_insensitive=folded)


def selectors(request: Request, name: str, maximum: int) -> list[tuple[str, bool, str]]:
    """(key, equal?, value) of each `key=value` or `key!=value`."""
    found = []
    for item in items(request, name, maximum) or []:
        match = _SELECTOR.fullmatch(item)
        if match is None:
            raise invalid(name, f"'{item}' is not of the form key=value or key!=value")
        found.append((match[1], match[2] != "!=", match[3]))
    return found


def choice(request: Request, name: str, allowed: tuple[str, ...]) -> str | None:
    value = request.query_params.get(name)
    if value is not None and value not in allowed:
        raise invalid(name, f"'{value}' is none of {', '.join(allowed)}")
    return value
