"""The user's Git repository, through GitPython.

Only paths that are named are committed; nobody is asked for a password on a terminal; no error and no
argument list holds a credential.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from git import Commit, Repo
from git.exc import BadName, GitCommandError, InvalidGitRepositoryError, NoSuchPathError

from generator.errors import RepositoryError
from generator.git_errors import repository_error
from generator.rendered import rendered_drift, write_rendered

__all__ = ["Credentials", "GitRepository", "rendered_drift", "write_rendered"]

# Git asks this helper; the values stand in the environment of the git process and nowhere else.
_HELPER = '!f() { echo "username=$CORESPEC_GIT_USERNAME"; echo "password=$CORESPEC_GIT_PASSWORD"; }; f'


@dataclass(frozen=True)
class Credentials:
    """User name and password (or token) for a repository over HTTPS."""

    username: str = field(repr=False)
    password: str = field(repr=False)


class GitRepository:
    """A clone on this machine. All paths are relative to the project folder, which may lie below the clone's
    top.
    """

    def __init__(self, repo: Repo, root: Path, remote: str = "origin") -> None:
        self._repo = repo
        self._prefix = root.resolve().relative_to(Path(repo.working_dir).resolve())
        self._remote = remote

    @classmethod
    def open(cls, root: Path, credentials: Credentials | None = None, remote: str = "origin") -> Self:
        """Open the repository that holds `root`. Raises RepositoryError when there is none."""
        try:
            repo = Repo(root, search_parent_directories=True)
        except (InvalidGitRepositoryError, NoSuchPathError):
            raise RepositoryError(f"{root} is in no Git repository; run `git init` there") from None
        if repo.bare:
            raise RepositoryError(f"{root} is a bare repository; clone it and work in the clone")
        repo.git.update_environment(**_environment(credentials), **_identity(repo))
        return cls(repo, root, remote)

    def head(self) -> str:
        """Commit id (40 hex digits) of HEAD. Raises RepositoryError when there is no commit yet."""
        if not self._repo.head.is_valid():
            raise RepositoryError("the repository has no commit yet; commit your specs first")
        return self._repo.head.commit.hexsha

    def branch(self) -> str | None:
        """The branch that is checked out, None when HEAD is detached."""
        return None if self._repo.head.is_detached else self._repo.active_branch.name

    def remote_url(self) -> str | None:
        """URL of the remote, None when there is no remote."""
        return next((item.url for item in self._repo.remotes if item.name == self._remote), None)

    def read(self, revision: str, path: str) -> bytes | None:
        """Content of a file at a revision; None when the file is not there.

        An unknown revision is fetched once; RepositoryError when it stays unknown.
        """
        try:
            item = self._known(revision).tree.join(self._inside(path))
        except KeyError:
            return None
        return bytes(item.data_stream.read()) if item.type == "blob" else None

    def contains(self, revision: str, commit: str) -> bool:
        """Whether `commit` is `revision` or one of its ancestors. Unknown ones are fetched once."""
        return self._repo.is_ancestor(self._known(commit), self._known(revision))

    def fetch(self) -> None:
        """Fetch from the remote."""
        self._run("fetch from " + self._remote, "fetch", "--quiet", self._remote)

    def fast_forward(self, branch: str) -> str:
        """Bring the checked-out branch to the remote's `branch`; returns the new HEAD.

        Raises RepositoryError when both have gone different ways.
        """
        self.fetch()
        self._run(
            f"fast-forward to {self._remote}/{branch}",
            "merge",
            "--ff-only",
            "--quiet",
            f"{self._remote}/{branch}",
        )
        return self.head()

    def is_clean(self, paths: Iterable[str]) -> bool:
        """Whether none of the paths differs from HEAD, is untracked, or is gone."""
        named = [self._inside(path) for path in paths]
        return not named or not self._run("read the status", "status", "--porcelain", "--", *named)

    def commit(self, paths: Iterable[str], message: str) -> str | None:
        """Commit exactly these paths, deletions included; None when they hold no change.

        What else is staged stays staged and uncommitted.
        """
        named = self._changed(paths)
        if not named:
            return None
        self._run("stage files", "add", "--all", "--", *named)
        self._run("commit", "commit", "--quiet", "--only", "--message", message, "--", *named)
        return self.head()

    def commit_aside(self, paths: Iterable[str], message: str) -> str | None:
        """Like `commit`, but HEAD, the index and the branch stay as they are; only the new commit's id is
        returned.
        """
        named = self._changed(paths)
        if not named:
            return None
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._run("read the index", "read-tree", "HEAD", env=index)
            self._run("stage files", "add", "--all", "--", *named, env=index)
            tree = self._run("write a tree", "write-tree", env=index)
        return self._run("commit", "commit-tree", tree, "-p", "HEAD", "-m", message)

    def push(self, branch: str, revision: str = "HEAD") -> None:
        """Push `revision` to the remote's `branch`, never by force.

        Raises RepositoryError: a remote that is ahead, a server that refuses, credentials that do not work,
        or (the only transient one) a network that fails.
        """
        target = f"{revision}:refs/heads/{branch}"
        self._run(f"push {branch} to {self._remote}", "push", "--quiet", self._remote, target)

    def _changed(self, paths: Iterable[str]) -> list[str]:
        named = [self._inside(path) for path in paths]
        if not named:
            return []
        lines = self._run(
            "read the status", "status", "--porcelain", "-z", "--untracked-files=all", "--", *named
        )
        changed = {entry[3:] for entry in lines.split("\0") if len(entry) > 3}
        return sorted(changed.intersection(named))

    def _known(self, revision: str) -> Commit:
        try:
            return self._repo.commit(revision)
        except (BadName, ValueError):
            self.fetch()
        try:
            return self._repo.commit(revision)
        except (BadName, ValueError):
            raise RepositoryError(
                f"the repository has no revision `{revision}`, not even after a fetch"
            ) from None

    def _inside(self, path: str) -> str:
        return (self._prefix / path).as_posix()

    def _run(self, action: str, *command: str, env: Mapping[str, str] | None = None) -> str:
        try:
            return str(self._repo.git.execute(["git", *command], env=dict(env) if env else None))
        except GitCommandError as error:
            raise repository_error(action, error) from None


def _identity(repo: Repo) -> dict[str, str]:
    """A name for commits where nobody configured one, as on a CI machine."""
    configured = repo.git.config("--get", "--default", "", "user.email") or os.environ.get("EMAIL")
    result: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        if not configured and f"GIT_{role}_EMAIL" not in os.environ:
            result |= {f"GIT_{role}_NAME": "corespec", f"GIT_{role}_EMAIL": "corespec@localhost"}
    return result


def _environment(credentials: Credentials | None) -> dict[str, str]:
    """Variables under which every git command runs: no prompts, plain messages, the credentials."""
    result = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "SSH_ASKPASS": "true", "LC_ALL": "C"}
    if "GIT_SSH_COMMAND" not in os.environ:
        result["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    if credentials:
        result |= {
            "CORESPEC_GIT_USERNAME": credentials.username,
            "CORESPEC_GIT_PASSWORD": credentials.password,
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "credential.helper",
            "GIT_CONFIG_VALUE_0": "",
            "GIT_CONFIG_KEY_1": "credential.helper",
            "GIT_CONFIG_VALUE_1": _HELPER,
        }
    return result
