"""The remote of a clone: what its branches hold, fetching one thing at a time, pushing without force."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.errors import RepositoryError
from generator.git_commands import GitCommands
from generator.git_environment import check_branch
from generator.git_errors import MissingRevisionError

_COMMIT_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_FETCH = ("fetch", "--quiet", "--no-recurse-submodules")


class Remote:
    """Talks to one remote. Methods raise RepositoryError; of those only a failing network is transient."""

    def __init__(self, git: GitCommands) -> None:
        self._git = git
        self.name = git.remote

    def url(self) -> str | None:
        """URL to which is pushed, None when there is no such remote."""
        return next(reversed(self._git.urls), None)

    def head(self, branch: str) -> str | None:
        """Commit at the head of a branch of the remote, which need not be here; None without the branch."""
        wanted = f"refs/heads/{check_branch(branch)}"
        listed = self._git.talk(f"read the branches of {self.name}", "ls-remote", self.name, wanted)
        found = (line.split("\t") for line in listed.splitlines())
        return next((commit for commit, name in found if name == wanted), None)

    def fetch(self) -> None:
        """Fetch what the clone is configured to fetch."""
        self._git.talk(f"fetch from {self.name}", *_FETCH, self.name)

    def fetch_branch(self, branch: str) -> str | None:
        """Fetch one branch; the commit at its head, None when the remote does not have it."""
        if self.head(branch) is None:
            return None
        here = self.tracking(branch)
        source = f"+refs/heads/{branch}:{here}"
        self._git.talk(f"fetch {branch} from {self.name}", *_FETCH, "--no-tags", self.name, source)
        return self.commit_id(here)

    def push(self, branch: str, revision: str) -> None:
        """Push a revision to a branch, never by force. Raises RemoteMovedError where the remote is ahead."""
        target = f"{revision}:refs/heads/{check_branch(branch)}"
        flags = ("--quiet", "--no-follow-tags", "--no-recurse-submodules")
        self._git.talk(f"push {branch} to {self.name}", "push", *flags, self.name, target)

    def find(self, revision: str) -> str | None:
        """Commit id of a revision, fetched where it is not here; None where the remote lacks it too."""
        found = self.commit_id(revision)
        for wanted, name in () if found else self._names(revision):
            if found is None and self._fetch_one(wanted):
                found = self.commit_id(name)
        return found

    def commit_id(self, revision: str) -> str | None:
        """Commit id of a revision that is here, None for one that is not."""
        named = f"{revision}^{{commit}}"
        if not self._git.succeeds("rev-parse", "--verify", "--quiet", named):
            return None
        return self._git.run("read a commit", "rev-parse", "--verify", named)

    def is_shallow(self) -> bool:
        """Whether this clone holds a part of the history only, as CI checkouts do."""
        return self._git.run("read the history", "rev-parse", "--is-shallow-repository") == "true"

    def unknown(self, revision: str) -> RepositoryError:
        """The error for a revision that cannot be found; says how a shallow clone gets its history."""
        text = f"the repository has no revision `{revision}`, not even after a fetch"
        if self.is_shallow():
            text += (
                "; this clone has no history: run `git fetch --unshallow`, or check out with it (GitHub: "
                "`fetch-depth: 0`, GitLab: `GIT_DEPTH: 0`)"
            )
        return RepositoryError(text)

    def tracking(self, branch: str) -> str:
        """Full name of the ref that keeps a branch of the remote here."""
        return f"refs/remotes/{self.name}/{branch}"

    def _names(self, revision: str) -> Iterator[tuple[str, str]]:
        """What to ask the remote for, and what that is called here once it is fetched."""
        if not self._git.urls:
            return
        if _COMMIT_ID.fullmatch(revision):
            yield revision, revision
            return
        name = revision.removeprefix(self.tracking("")).removeprefix(f"{self.name}/")
        name = name.removeprefix("refs/heads/")
        try:
            check_branch(name)
        except RepositoryError:
            return
        yield f"+refs/heads/{name}:{self.tracking(name)}", self.tracking(name)
        yield f"+refs/tags/{name}:refs/tags/{name}", f"refs/tags/{name}"

    def _fetch_one(self, wanted: str) -> bool:
        """Fetch one thing, without history into a clone that has none; False when the remote lacks it."""
        depth = ("--depth=1",) if self.is_shallow() else ()
        try:
            self._git.talk(f"fetch from {self.name}", *_FETCH, "--no-tags", *depth, self.name, wanted)
        except MissingRevisionError:
            return False
        return True
