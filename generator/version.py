"""The version of the tool, as the installed distribution names it."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

TOOL = "corespec"


@lru_cache(maxsize=1)
def tool_version() -> str:
    """Version of the installed distribution; `0` when the code runs without being installed."""
    try:
        return version(TOOL)
    except PackageNotFoundError:
        return "0"
