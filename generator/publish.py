"""Publishing: what was rendered goes to the GitOps repository, directly or as a branch to be reviewed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.compare import compare_url
from generator.errors import RepositoryError
from generator.repository import Credentials, GitRepository, write_rendered


@dataclass(frozen=True)
class Published:
    """What publishing did: the files it touched, the commit (None: nothing to commit), the branch it pushed
    to, and where to open the pull request (None: pushed directly, or a server whose links are not known).
    """

    changed: tuple[str, ...]
    commit: str | None
    branch: str
    compare_url: str | None = None


def publish(
    root: Path,
    files: Mapping[str, bytes],
    message: str,
    branch: str,
    *,
    pull_request: bool = False,
    credentials: Credentials | None = None,
) -> Published:
    """Write `files`, commit them and nothing else, and push.

    Directly: commits on the branch that is checked out, which must be `branch`, and pushes it. As a pull
    request: the commit goes to a branch of its own, named after its content, and the local branch stays where
    it is. Raises RepositoryError; after a refused push the commit is still there, and publishing again pushes
    it.
    """
    repository = GitRepository.open(root, credentials)
    repository.head()
    if not pull_request and repository.branch() != branch:
        current = repository.branch() or "no branch"
        raise RepositoryError(
            f"{current} is checked out, and publishing goes to {branch}; run `git switch {branch}`"
        )
    changed = write_rendered(root, files)
    paths = {*files, *changed}
    if pull_request:
        return _propose(repository, files, changed, paths, message, branch)
    commit = repository.commit(paths, message)
    repository.push(branch)
    return Published(tuple(changed), commit, branch)


def _propose(
    repository: GitRepository,
    files: Mapping[str, bytes],
    changed: list[str],
    paths: set[str],
    message: str,
    base: str,
) -> Published:
    commit = repository.commit_aside(paths, message)
    topic = f"corespec/render-{_digest(files)}"
    if commit:
        repository.push(topic, commit)
    return Published(tuple(changed), commit, topic, compare_url(repository.remote_url() or "", base, topic))


def _digest(files: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        total.update(f"{path}\0{len(content)}\0".encode() + content)
    return total.hexdigest()[:12]
