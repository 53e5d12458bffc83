"""Trees and commits, made without touching the index, the working tree or any branch.

Blobs hold exactly the bytes they are given: no filter, no conversion of line ends, no ignore rule.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generator.git_commands import GitCommands

_FILE = "100644"
_KINDS_OF_FILES = frozenset({"100644", "100755"})


@dataclass(frozen=True, slots=True)
class Entry:
    """What a tree holds at a path: Git's mode (`100644`; `120000` link, `160000` submodule) and object."""

    mode: str
    object: str

    @property
    def is_file(self) -> bool:
        """Whether it is a plain file, executable or not."""
        return self.mode in _KINDS_OF_FILES


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by; `date` in Git's own format, empty for now."""

    name: str
    email: str
    date: str = field(default="")

    def variables(self) -> dict[str, str]:
        """The variables that make git take this author."""
        date = {"GIT_AUTHOR_DATE": self.date} if self.date else {}
        return {"GIT_AUTHOR_NAME": self.name, "GIT_AUTHOR_EMAIL": self.email, **date}


Entries = Mapping[
    str, Entry | None
]  # path from the top of the clone -> what shall be there, None for nothing


def entries(git: GitCommands, revision: str, *paths: str, deep: bool = True) -> dict[str, Entry]:
    """Entries below (with `deep`) or at some paths of a revision."""
    flags = ("-r",) if deep else ()
    listed = git.run("read a tree", "ls-tree", *flags, "-z", "--full-tree", revision, "--", *paths)
    found: dict[str, Entry] = {}
    for line in filter(None, listed.split("\0")):
        facts, _, path = line.partition("\t")
        mode, _, name = facts.split()
        found[path] = Entry(mode, name)
    return found


def blob_ids(git: GitCommands, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Object ids that contents have or would have; computed here, so that nothing is stored."""
    algorithm = git.run("read the object format", "rev-parse", "--show-object-format")
    return {
        path: hashlib.new(algorithm, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        for path, content in contents.items()
    }


def store(git: GitCommands, contents: Mapping[str, bytes]) -> dict[str, Entry]:
    """Store contents as files of mode 100644; returns their entries."""
    paths = sorted(contents)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(paths))]
        for file, path in zip(files, paths, strict=True):
            file.write_bytes(contents[path])
        listed = "".join(f"{file}\n" for file in files).encode()
        made = git.run("store files", "hash-object", "-w", "--no-filters", "--stdin-paths", feed=listed)
    return {path: Entry(_FILE, name) for path, name in zip(paths, made.split(), strict=True)}


def commit(git: GitCommands, parent: str, changes: Entries, message: str, author: Author | None) -> str:
    """A new commit on `parent` that differs from it in `changes` and nothing else; returns its id.

    Signed where `commit.gpgSign` asks for it. The author is the configured one unless given.
    """
    tree = _tree(git, parent, changes)
    sign = git.run("read the settings", "config", "--type=bool", "--default=false", "--get", "commit.gpgSign")
    signed = ("-S",) if sign == "true" else ()
    text = message.replace("\0", "").strip() + "\n"
    return git.run(
        "commit",
        *("commit-tree", *signed, "-p", parent, "-F", "-", tree),
        env=author.variables() if author else None,
        feed=text.encode("utf-8", "replace"),
    )


def _tree(git: GitCommands, parent: str, changes: Entries) -> str:
    nothing = "0" * len(parent)
    lines = "".join(
        f"{entry.mode} {entry.object}\t{path}\0" if entry else f"0 {nothing}\t{path}\0"
        for path, entry in sorted(changes.items())
    )
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read a tree", "read-tree", parent, env=index)
        feed = lines.encode("utf-8", "surrogateescape")
        git.run("change a tree", "update-index", "-z", "--index-info", env=index, feed=feed)
        return git.run("write a tree", "write-tree", env=index)
