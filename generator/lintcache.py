"""Which rendered templates have passed the lint, so that the next run need not prove it again.

The lint looks at a template's data and at nothing else, so its verdict belongs to that data and to this very
code. `.corespec/cache/lint/<environment>.json` holds a digest of each template that has passed. Checking one
costs loading Argo's schema, which takes longer than all the rest of a small plan.

Deleting the cache changes only speed: what it does not hold, or does not hold whole, is linted. Findings are
never kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.errors import GeneratorError
from generator.renderinputs import code_digest
from generator.sealed import SealedFolder

FORMAT = 1
CACHE = ".corespec/cache/lint"


class LintCache:
    """The templates of one environment that have passed; see `generator.render.Passed`."""

    def __init__(self, root: Path, environment: str) -> None:
        self._folder, self._name = SealedFolder(root, CACHE), environment
        self._code = code_digest()
        self._known = self._read()
        self._seen: set[str] = set()

    def __contains__(self, document: Mapping[str, Any]) -> bool:
        """Whether this very template has passed before."""
        digest = _digest(document)
        if digest in self._known:
            self._seen.add(digest)
            return True
        return False

    def add(self, document: Mapping[str, Any]) -> None:
        """Note that a template has passed just now."""
        self._seen.add(_digest(document))

    def save(self) -> None:
        """Keep what this run has seen, and nothing older; silent where nothing can be written."""
        if self._code is not None and self._seen != self._known:
            self._folder.write(
                self._name, {"format": FORMAT, "code": self._code, "passed": sorted(self._seen)}
            )

    def _read(self) -> frozenset[str]:
        try:
            entry = self._folder.read(self._name) or {}
        except (OSError, GeneratorError):
            return frozenset()
        ours = self._code is not None and entry.get("format") == FORMAT and entry.get("code") == self._code
        return frozenset(entry["passed"]) if ours else frozenset()


def _digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of what Python says the data is: that keeps 1, "1", 1.0 and true apart, as keys too."""
    return hashlib.sha256(repr(document).encode("utf-8", "surrogatepass")).hexdigest()
