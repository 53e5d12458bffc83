"""The user's Git repository, through GitPython.

Only files that are named are committed; nobody is asked for a password on a terminal; no error and no
argument list holds a credential.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Self

from git import Commit, Repo
from git.exc import BadName, InvalidGitRepositoryError, NoSuchPathError

from generator.errors import RepositoryError
from generator.git_commands import GitCommands
from generator.git_environment import Credentials
from generator.git_errors import RemoteMovedError
from generator.git_objects import Author, Entry, blob_ids, commit, entries, store
from generator.git_remote import Remote
from generator.git_replay import replay
from generator.rendered import rendered_drift, write_rendered

__all__ = ["Author", "Credentials", "GitRepository", "RemoteMovedError", "rendered_drift", "write_rendered"]


class GitRepository:
    """A clone on this machine. All paths are relative to the project folder, which may lie below the clone's
    top.
    """

    def __init__(
        self, repo: Repo, root: Path, remote: str = "origin", credentials: Credentials | None = None
    ) -> None:
        self._repo = repo
        self._root = root.resolve()
        self._prefix = self._root.relative_to(Path(repo.working_dir).resolve())
        self._git = GitCommands(repo, remote, credentials)
        self._remote = Remote(self._git)

    @classmethod
    def open(cls, root: Path, credentials: Credentials | None = None, remote: str = "origin") -> Self:
        """Open the repository that holds `root`. Raises RepositoryError when there is none."""
        try:
            repo = Repo(root, search_parent_directories=True)
        except (InvalidGitRepositoryError, NoSuchPathError):
            raise RepositoryError(f"{root} is in no Git repository; run `git init` there") from None
        if repo.bare:
            raise RepositoryError(f"{root} is a bare repository; clone it and work in the clone")
        return cls(repo, root, remote, credentials)

    def head(self) -> str:
        """Commit id (40 hex digits) of HEAD. Raises RepositoryError when there is no commit yet."""
        if not self._repo.head.is_valid():
            raise RepositoryError("the repository has no commit yet; commit your specs first")
        return self._repo.head.commit.hexsha

    def branch(self) -> str | None:
        """The branch that is checked out, None when HEAD is detached."""
        return None if self._repo.head.is_detached else self._repo.active_branch.name

    def remote_url(self) -> str | None:
        """URL to which is pushed, None when there is no remote."""
        return self._remote.url()

    def read(self, revision: str, path: str) -> bytes | None:
        """Content of a file at a revision; None when the file is not there.

        An unknown revision is fetched once; RepositoryError when it stays unknown.
        """
        try:
            item = self._known(revision).tree.join(self._inside(path))
        except KeyError:
            return None
        return bytes(item.data_stream.read()) if item.type == "blob" else None

    def files(self, revision: str, folder: str, only: Container[str] | None = None) -> dict[str, bytes]:
        """Content of every plain file below a folder at a known revision (with `only`, of those among them);
        links and submodules are none.
        """
        inside = self._inside(folder)
        listed = entries(self._git, revision, inside).items()
        files = {self._outside(path): entry for path, entry in listed if entry.is_file and path != inside}
        return {
            path: bytes(self._repo.odb.stream(bytes.fromhex(entry.object)).read())
            for path, entry in files.items()
            if only is None or path in only
        }

    def tree(self, revision: str, folder: str) -> str | None:
        """Object id of a folder at a revision, None when it is not there; equal ids hold equal content."""
        found = entries(self._git, revision, self._inside(folder), deep=False)
        return found[self._inside(folder)].object if found else None

    def contains(self, revision: str, commit: str) -> bool:
        """Whether `commit` is `revision` or one of its ancestors. Unknown ones are fetched once."""
        return self._repo.is_ancestor(self._known(commit), self._known(revision))

    def resolve(self, revision: str) -> str:
        """Commit id of a revision as a person writes it: `main`, `origin/main`, `HEAD~1`, an id, a tag.

        What is not known here is fetched, without history where this clone has none. Raises RepositoryError
        where that does not help.
        """
        if not revision or revision.startswith("-") or not revision.isprintable():
            raise RepositoryError(f"{revision!a} is no revision; name a branch, a tag or a commit")
        found = self._remote.find(revision)
        if found is None:
            raise self._remote.unknown(revision)
        return found

    def fetch(self) -> None:
        """Fetch from the remote."""
        self._remote.fetch()

    def remote_head(self, branch: str) -> str | None:
        """Commit at the head of a branch of the remote, which need not be here; None without the branch."""
        return self._remote.head(branch)

    def fetch_branch(self, branch: str) -> str | None:
        """Fetch one branch; the commit at its head, None when the remote does not have it."""
        return self._remote.fetch_branch(branch)

    def is_merged(self, commit: str, branch: str) -> bool:
        """Whether the remote's branch, which must be there, has a commit already.

        A shallow clone would have to fetch the history for that, and says no where it does not know.
        """
        head = self.remote_head(branch) if self._remote.is_shallow() else self.fetch_branch(branch)
        return head is not None and self._remote.commit_id(head) is not None and self.contains(head, commit)

    def fast_forward(self, branch: str) -> str:
        """Bring the checked-out branch to the remote's `branch` as last fetched; returns the new HEAD.

        Raises RepositoryError when both have gone different ways.
        """
        target = self._remote.tracking(branch)
        self._git.run(
            f"fast-forward to {self._remote.name}/{branch}", "merge", "--ff-only", "--quiet", target
        )
        return self.head()

    def is_clean(self, paths: Iterable[str]) -> bool:
        """Whether none of the paths differs from HEAD, is untracked, or is gone."""
        named = [self._inside(path) for path in paths]
        return not named or not self._git.run("read the status", "status", "--porcelain", "--", *named)

    def author(self, folder: str) -> Author | None:
        """Author of the newest commit that touched a folder; None where it holds changes without a commit."""
        if not self.is_clean([folder]):
            return None
        form = "--format=%an%x00%ae"
        found = self._git.run("read the history", "log", "-1", form, "HEAD", "--", self._inside(folder))
        name, _, email = found.partition("\0")
        return Author(name, email) if name and email else None

    def outdated(self, files: Mapping[str, bytes | None], revision: str = "HEAD") -> dict[str, bytes | None]:
        """Those of `files` (None: shall not be there) that a revision does not have as they are given."""
        paths = {self._inside(path): path for path in files}
        there = entries(self._git, revision, *{self._top(path) for path in paths})
        contents = {path: content for path, content in files.items() if content is not None}
        wanted = blob_ids(self._git, contents)
        return {
            path: files[path]
            for inside, path in paths.items()
            if not _holds(there.get(inside), wanted.get(path))
        }

    def check_paths(self, paths: Iterable[str]) -> None:
        """Refuse paths that HEAD cannot hold or that Git is told to ignore. Raises RepositoryError."""
        named = [self._inside(path) for path in paths]
        parents = {parent.as_posix() for path in named for parent in Path(path).parents} - {"."}
        for path, entry in entries(self._git, "HEAD", *sorted(parents), deep=False).items():
            if path in parents and entry.mode != "040000":
                kind = "a submodule" if entry.mode == "160000" else "a file or a link"
                raise RepositoryError(f"{path} is {kind} in Git, not a folder; publish from where it is one")
        self._check_ignored(named)

    def commit(
        self,
        files: Mapping[str, bytes | None],
        message: str,
        *,
        parent: str = "HEAD",
        author: Author | None = None,
    ) -> str | None:
        """Make a commit on `parent` with exactly these files (None: removed); None when it has them already.

        No branch moves, and neither index nor working tree changes: `advance` does that.
        """
        changed = self.outdated(files, parent)
        if not changed:
            return None
        stored = store(self._git, {path: content for path, content in changed.items() if content is not None})
        wanted = {self._inside(path): stored.get(path) for path in changed}
        tip = self._git.run("read a commit", "rev-parse", "--verify", f"{parent}^{{commit}}")
        return commit(self._git, tip, wanted, message, author)

    def advance(self, revision: str, paths: Iterable[str]) -> None:
        """Move the checked-out branch to a commit on top of HEAD whose files lie in the working tree already.

        Of the index only `paths` change: what else is staged stays staged.
        """
        before = self.head()
        listed = "".join(f"{self._inside(path)}\0" for path in paths).encode()
        flags = ("--quiet", "--pathspec-from-file=-", "--pathspec-file-nul")
        self._git.run("stage files", "reset", *flags, revision, feed=listed)
        self._move(revision, before)

    def replay(self, upstream: str, folder: str) -> str:
        """Commits of HEAD on top of `upstream`, made and not checked out; see `git_replay.replay`.

        Raises RepositoryError too where the working tree has changes that stand in the way of `switch`.
        """
        tip = replay(self._git, upstream, self._inside(folder))
        self._git.succeeds("update-index", "-q", "--refresh")
        self._git.run("bring in what was pushed meanwhile", "read-tree", "-m", "-u", "-n", "HEAD", tip)
        return tip

    def switch(self, revision: str) -> None:
        """Move the checked-out branch, its files and its index to a commit; local changes stay."""
        before = self.head()
        self._git.run("bring in what was pushed meanwhile", "read-tree", "-m", "-u", "HEAD", revision)
        self._move(revision, before)

    def push(self, branch: str, revision: str = "HEAD") -> None:
        """Push `revision` to the remote's `branch`, never by force.

        Raises RemoteMovedError for a remote that is ahead, RepositoryError for a server that refuses,
        credentials that do not work, or (the only transient one) a network that fails.
        """
        self._remote.push(branch, revision)

    def _move(self, revision: str, before: str) -> None:
        self._git.run("move the branch", "update-ref", "-m", "corespec publish", "HEAD", revision, before)

    def _known(self, revision: str) -> Commit:
        try:
            return self._repo.commit(revision)
        except (BadName, ValueError):
            self.fetch()
        try:
            return self._repo.commit(revision)
        except (BadName, ValueError):
            raise self._remote.unknown(revision) from None

    def _check_ignored(self, named: list[str]) -> None:
        words = iter(self._git.ignored(named).split("\0")[:-1])
        for source, line, pattern, path in zip(words, words, words, words, strict=True):
            if pattern.startswith("!"):
                continue
            where = os.path.relpath(source, self._repo.working_dir) if source.startswith("/") else source
            raise RepositoryError(
                f"{path} is ignored by Git ({where}:{line}: `{pattern}`); remove that line, because AI Core "
                "reads what is rendered from Git"
            )

    def _inside(self, path: str) -> str:
        return (self._prefix / path).as_posix()

    def _outside(self, path: str) -> str:
        return Path(path).relative_to(self._prefix).as_posix()

    def _top(self, inside: str) -> str:
        """The first folder of a path below the project folder: `rendered` of `rendered/local/x`."""
        return (self._prefix / Path(inside).relative_to(self._prefix).parts[0]).as_posix()


def _holds(entry: Entry | None, wanted: str | None) -> bool:
    if wanted is None:
        return entry is None
    return entry is not None and entry.is_file and entry.object == wanted


def checked_out(root: Path) -> str:
    """Commit id of what the clone that holds `root` has checked out; "" where there is none.

    Starts no process: the daemon asks several times a round.
    """
    try:
        with Repo(root, search_parent_directories=True) as repo:
            return str(repo.head.dereference_recursive(repo, repo.head.path))
    except (InvalidGitRepositoryError, NoSuchPathError, ValueError):  # ValueError: no commit yet
        return ""
