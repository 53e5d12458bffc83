"""The checkout on this machine, as the reader of the branch that AI Core follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from git import Repo
from git.exc import GitCommandError

from generator.errors import ReferenceUnavailableError, RepositoryError
from generator.publish import publish
from generator.repository import Credentials, GitRepository
from generator.spec.environment import Environment
from reconciler.errors import AuthenticationError, StaleRenderError

_REMOTE = "origin"


class Checkout:
    """The clone that holds `root`. Methods raise generator.errors.RepositoryError."""

    def __init__(self, root: Path, environment: Environment) -> None:
        self._root, self._environment = root, environment
        self._branch = environment.git.branch
        self._credentials = _credentials(environment, root)
        self._repository = GitRepository.open(root, self._credentials)

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

    def follow_branch(self) -> bool:
        """Bring the checkout to the head of the branch; True when that moved it.

        A branch that nobody has pushed yet is none to follow.
        """
        self.fetch()
        if not self._branch_exists():
            return False
        before = self._repository.head()
        return self._repository.fast_forward(self._branch) != before

    def publish(self, rendered: Mapping[str, bytes]) -> str | None:
        """Push what the specs render if the branch holds something else; the new commit's id, None if fresh.

        Raises StaleRenderError where the environment leaves publishing to people.
        """
        stale = [path for path, content in sorted(rendered.items()) if self.published(path) != content]
        if not stale:
            return None
        if self._environment.git.publish != "direct":
            how = " --pull-request" if self._environment.git.publish == "pull-request" else ""
            raise StaleRenderError(
                f"{stale[0]} on {self._branch} is not what the specs render ({len(stale)} stale in all).",
                remedy=f"Run: corespec publish{how}",
            )
        message = f"Render {self._environment.metadata.name}"
        return publish(self._root, rendered, message, self._branch, credentials=self._credentials).commit

    def _branch_exists(self) -> bool:
        try:
            self._repository.contains(f"{_REMOTE}/{self._branch}", f"{_REMOTE}/{self._branch}")
        except RepositoryError as error:
            if error.transient:
                raise
            return False
        return True


def _credentials(environment: Environment, root: Path) -> Credentials | None:
    git = environment.git
    if git.username is None or git.password is None:
        return None
    try:
        return Credentials(git.username.resolve(root), git.password.resolve(root))
    except ReferenceUnavailableError as error:
        raise AuthenticationError(f"git: {error}") from None
