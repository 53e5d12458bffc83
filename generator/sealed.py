"""Small documents that this machine has written for itself, in a folder of the project.

They tell what need not be done again. Deleting them changes only speed. Damage, a hand's edit, a file that
came in with a commit or from another machine: none of them is believed, each reads as if it were not there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.errors import GeneratorError
from generator.tree import Tree

_SEAL = ".gitignore"


class SealedFolder:
    """JSON documents by name, each with its checksum and the identity of a file that cannot be committed."""

    def __init__(self, root: Path, folder: str) -> None:
        """`folder`: relative to the project folder `root`, with `/` between its parts."""
        self._root, self._folder = root, folder
        self._tree = Tree(root)

    def names(self) -> list[str]:
        """Names of the documents, good or not. Raises OSError and GeneratorError."""
        return [
            name.removesuffix(".json") for name in self._tree.files(self._folder) if name.endswith(".json")
        ]

    def read(self, name: str) -> Mapping[str, Any] | None:
        """A document as `write` has left it here; None for anything else. Raises OSError, GeneratorError."""
        seal = self._seal()
        checksum, _, body = (self._tree.read(f"{self._folder}/{name}.json") or b"").partition(b"\n")
        if seal is None or checksum != _checksum(body):
            return None
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return None
        good = isinstance(document, dict) and document.get("seal") == seal and document.get("name") == name
        return document if good else None

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a document. Silent where nothing can be written: the next run is slower then."""
        try:
            inside = os.path.realpath(self._root / self._folder)
            if inside != os.path.realpath(self._root) + f"/{self._folder}":
                return  # a link: whatever it leads to is not ours to write
            seal = self._seal() or self._new_seal()
            body = json.dumps({**content, "seal": seal, "name": name}).encode("utf-8")
            self._tree.write(f"{self._folder}/{name}.json", _checksum(body) + b"\n" + body)
        except (OSError, GeneratorError):
            return

    def _seal(self) -> list[int] | None:
        """Identity of a file that only this machine can know: no cache of a commit is believed here."""
        try:
            status = (self._root / self._folder / _SEAL).lstat()
        except OSError:
            return None
        return [status.st_dev, status.st_ino, status.st_ctime_ns]

    def _new_seal(self) -> list[int] | None:
        self._tree.write(f"{self._folder}/{_SEAL}", b"*\n")
        return self._seal()


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode("ascii")
