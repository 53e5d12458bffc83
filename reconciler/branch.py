"""Following the branch before the specs are read: the commit that mends a broken spec has to come in."""

from __future__ import annotations

from pathlib import Path

from generator.spec.environment import Environment
from generator.spec.parse import parse
from generator.spec.reader import read
from reconciler.gitops import Checkout


class Follower:
    """Knows which branch a project follows, and from where, even while its specs are at fault."""

    def __init__(self, root: Path, name: str) -> None:
        self._root, self._name = root, name
        self._known: Environment | None = None

    def follow(self) -> str | None:
        """Bring the checkout to the head of the branch; the branch if that moved it.

        A broken environment file is followed where it was followed before; None where nobody knows: whoever
        reads the specs says what is wrong. Raises RepositoryError.
        """
        self._known = self._read() or self._known
        if self._known is None:
            return None
        moved = Checkout(self._root, self._known).follow_branch()
        return self._known.git.branch if moved else None

    def _read(self) -> Environment | None:
        for path in sorted((self._root / "specs" / "environments").glob("*.y*ml")):
            found = parse(read(path.relative_to(self._root).as_posix(), path.read_bytes()), Environment).model
            if found is not None and found.metadata.name == self._name:
                return found
        return None
