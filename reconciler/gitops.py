"""The checkout on this machine, as the reader of the branch that AI Core follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from git import Repo
from git.exc import GitCommandError

from generator.errors import ReferenceUnavailableError, RepositoryError
from generator.repository import Credentials, GitRepository
from generator.spec.environment import Environment
from generator.spec.locks import LOCK_PATH
from reconciler.errors import AuthenticationError, InputRejectedError, StaleRenderError

_REMOTE = "origin"


@dataclass(frozen=True, slots=True)
class Publication:
    """What the specs render went to `branch`: the one that AI Core follows, or one that waits to be merged.

    `commit` is None where that branch held it already. `compare_url` opens the pull request, None where the
    server's links are not known.
    """

    files: int
    branch: str
    commit: str | None
    awaits_merge: bool = False
    compare_url: str | None = None


class Checkout:
    """The clone that holds `root`. Methods raise generator.errors.RepositoryError."""

    def __init__(self, root: Path, environment: Environment) -> None:
        self._root, self._environment = root, environment
        self._branch = environment.git.branch
        self._credentials = _credentials(environment, root)
        self._repository = GitRepository.open(root, self._credentials)

    @property
    def commit(self) -> str:
        """What is checked out (40 hex digits); "" before the first commit."""
        try:
            return self._repository.head()
        except RepositoryError:
            return ""

    @property
    def dirty(self) -> bool:
        """Whether specs, image lock or own workflows hold changes that nobody has committed."""
        own = [f for f in self._environment.catalog if (self._root / f).resolve().is_relative_to(self._root)]
        return not self._repository.is_clean(["specs", LOCK_PATH, *own])

    def fetch(self) -> None:
        """Learn what the branch holds now."""
        self._repository.fetch()

    def read(self, revision: str, path: str) -> bytes | None:
        """Content at a revision that AI Core names; None where it names none, or one that Git has lost."""
        if revision in {"", "Unknown"}:
            return None
        try:
            return self._repository.read(revision, path)
        except RepositoryError as error:
            if error.transient:
                raise
            return None

    def published(self, path: str) -> bytes | None:
        """Content at the head of the branch, as last fetched."""
        return self.read(f"{_REMOTE}/{self._branch}", path)

    def branch_head(self) -> str:
        """Id of the branch's head, as last fetched. Raises InputRejectedError for a branch nobody pushed."""
        if not self._branch_exists():
            raise InputRejectedError(
                f"There is no branch {self._branch} at {_REMOTE}: nothing says what should be.",
                remedy="Push it, or correct git.branch of the environment.",
            )
        return self._repository.resolve(f"{_REMOTE}/{self._branch}")

    def files(self, revision: str, folder: str) -> dict[str, bytes]:
        """Content of every plain file below a folder at a known revision, by path."""
        return self._repository.files(revision, folder)

    def holds(self, revision: str) -> bool:
        """Whether the branch, as last fetched, holds that commit."""
        try:
            return self._repository.contains(f"{_REMOTE}/{self._branch}", revision)
        except RepositoryError as error:
            if error.transient:
                raise
            return False

    def history(self, path: str, limit: int) -> Iterable[str]:
        """Revisions of the branch in which `path` changed, latest first."""
        repo = Repo(self._root, search_parent_directories=True)
        try:
            prefix = self._root.relative_to(Path(repo.working_dir).resolve())
            target = (prefix / path).as_posix()
            found: str = repo.git.log("--format=%H", f"-{limit}", f"{_REMOTE}/{self._branch}", "--", target)
        except GitCommandError:
            return []  # a branch that is not there has no history; explaining is worth no failure
        finally:
            repo.close()
        return found.split()

    def committed_at(self, revision: str) -> datetime:
        """When a known commit was made, by the clock of whoever made it."""
        repo = Repo(self._root, search_parent_directories=True)
        try:
            return repo.commit(revision).committed_datetime.astimezone(UTC)
        finally:
            repo.close()

    def mainlines(self, path: str, limit: int) -> tuple[tuple[str, ...], ...]:
        """Revisions in which `path` changed, latest first: of HEAD, and of the branch as last fetched.

        First parents alone: what stood on this line, one after the other, whatever was merged into it.
        """
        repo = Repo(self._root, search_parent_directories=True)
        try:
            prefix = self._root.relative_to(Path(repo.working_dir).resolve())
            target = (prefix / path).as_posix()
            tips = ("HEAD", f"{_REMOTE}/{self._branch}")
            return tuple(_mainline(repo, tip, target, limit) for tip in tips)
        finally:
            repo.close()

    def follow_branch(self) -> bool:
        """Bring the checkout to the head of the branch; True when that moved it.

        A branch that nobody has pushed yet is none to follow.
        """
        self.fetch()
        if not self._branch_exists():
            return False
        before = self._repository.head()
        return self._repository.fast_forward(self._branch) != before

    def check_merged(self) -> None:
        """Where merging is the rule, refuse a checkout with commits or specs that nobody has merged.

        Raises InputRejectedError.
        """
        if self._environment.git.publish != "pull-request" or not self._branch_exists():
            return
        own = "commits"
        if self._repository.contains(f"{_REMOTE}/{self._branch}", self._repository.head()):
            if self._repository.is_clean(["specs", LOCK_PATH, *self._environment.catalog]):
                return
            own = "changes in its specs"
        raise InputRejectedError(
            f"The checkout has {own} of its own, and {self._branch} is to hold only what was reviewed.",
            remedy=f"Have them merged into {self._branch}, or reconcile in a clean clone of it.",
        )

    def publish(self, rendered: Mapping[str, bytes]) -> Publication | None:
        """Push what the specs render if the branch holds something else; None if it is fresh.

        Where the environment asks for a pull request it goes to a branch of its own, the same one for the
        same content. Raises StaleRenderError where the environment leaves publishing to people.
        """
        stale = [path for path, content in sorted(rendered.items()) if self.published(path) != content]
        if not stale:
            return None
        mode = self._environment.git.publish
        if mode == "none":
            raise StaleRenderError(
                f"{stale[0]} on {self._branch} is not what the specs render ({len(stale)} stale in all).",
                remedy="Run: corespec publish",
            )
        from generator.publish import publish  # most looks publish nothing

        done = publish(
            self._root,
            rendered,
            f"Render {self._environment.metadata.name}",
            self._branch,
            pull_request=mode == "pull-request",
            credentials=self._credentials,
        )
        elsewhere = done.branch != self._branch
        return Publication(len(stale), done.branch, done.commit, elsewhere, done.compare_url)

    def _branch_exists(self) -> bool:
        try:
            self._repository.contains(f"{_REMOTE}/{self._branch}", f"{_REMOTE}/{self._branch}")
        except RepositoryError as error:
            if error.transient:
                raise
            return False
        return True


def _mainline(repo: Repo, tip: str, path: str, limit: int) -> tuple[str, ...]:
    try:
        found: str = repo.git.log("--first-parent", "--format=%H", f"-{limit}", tip, "--", path)
    except GitCommandError:
        return ()  # no commit yet, or a branch that nobody has pushed
    return tuple(found.split())


def _credentials(environment: Environment, root: Path) -> Credentials | None:
    git = environment.git
    if git.username is None or git.password is None:
        return None
    try:
        return Credentials(git.username.resolve(root), git.password.resolve(root))
    except ReferenceUnavailableError as error:
        raise AuthenticationError(f"git: {error}") from None
