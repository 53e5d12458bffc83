"""Publishing: what was rendered goes to the GitOps repository, directly or as a branch to be reviewed.

Only files that corespec renders are committed, byte for byte as they were rendered: commit hooks and line-end
conversion have no say. Nothing is ever forced.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from generator.compare import Forge, compare_url
from generator.diff import diff_templates
from generator.diff.message import message_body
from generator.errors import RepositoryError
from generator.git_environment import check_branch
from generator.git_errors import RemoteMovedError
from generator.repository import Credentials, GitRepository, write_rendered

__all__ = ["Published", "publish"]

RENDERED = "rendered"
SPECS = "specs"

Files = Mapping[str, bytes | None]  # None: shall not be there


@dataclass(frozen=True)
class Published:
    """What publishing did: the files it committed, the commit (None: nothing to commit), the branch it pushed
    to, and where to open the pull request (None: pushed directly, or a server whose links are not known).

    `rebased`: somebody else had pushed, and the commit was put on top of theirs. `existed`: the branch of the
    pull request was there already with this content, so nothing was committed.
    """

    changed: tuple[str, ...]
    commit: str | None
    branch: str
    compare_url: str | None = None
    rebased: bool = False
    existed: bool = False


def publish(
    root: Path,
    files: Mapping[str, bytes],
    message: str,
    branch: str,
    *,
    pull_request: bool = False,
    credentials: Credentials | None = None,
    forge: Forge | None = None,
) -> Published:
    """Write `files`, commit them and nothing else, and push.

    `message` is the commit's subject; its body lists what changed in each executable. Its author is that of
    the newest commit in specs/, or the configured one where specs/ has changes that nobody committed.

    Directly: commits on the branch that is checked out, which must be `branch`, and pushes it. Where the
    remote has moved, the commit is put on top of it once. As a pull request: HEAD with the commit on top goes
    to a branch named after its content, and neither the local branch nor the working tree changes; `forge`
    says what kind of server the remote is where its host does not.

    Raises RepositoryError; after a refused push the commit is still there, and publishing again pushes it.
    """
    repository = GitRepository.open(root, credentials)
    repository.head()
    check_branch(branch)
    if not pull_request and repository.branch() != branch:
        current = repository.branch() or "no branch"
        raise RepositoryError(
            f"{current} is checked out, and publishing goes to {branch}; run `git switch {branch}`, or "
            "publish as a pull request"
        )
    repository.check_paths(files)
    if pull_request:
        return _propose(repository, files, message, branch, forge)
    return _push(repository, root, files, message, branch)


def _push(
    repository: GitRepository, root: Path, files: Mapping[str, bytes], message: str, branch: str
) -> Published:
    wanted = _wanted(repository, files)
    write_rendered(root, files)
    changed = sorted(repository.outdated(wanted))
    made = _commit(repository, {path: wanted[path] for path in changed}, message)
    if made:
        repository.advance(made, changed)
    try:
        repository.push(branch)
    except RemoteMovedError:
        tip = _push_on_top(repository, branch)
        return Published(tuple(changed), tip if made else None, branch, rebased=True)
    return Published(tuple(changed), made, branch)


def _push_on_top(repository: GitRepository, branch: str) -> str:
    """Push our commits on top of what others pushed, then bring the checkout there; returns the new head."""
    upstream = repository.fetch_branch(branch)
    if upstream is None:
        raise RepositoryError(f"the remote branch {branch} was deleted meanwhile; publish again to create it")
    tip = repository.replay(upstream, RENDERED)
    if tip != upstream:
        try:
            repository.push(branch, tip)
        except RemoteMovedError:
            raise RepositoryError(
                f"{branch} moved again while this was published; your branch is as it was. Publish again, or "
                "as a pull request where many publish at once"
            ) from None
    repository.switch(tip)
    return tip


def _propose(
    repository: GitRepository, files: Mapping[str, bytes], message: str, base: str, forge: Forge | None
) -> Published:
    if repository.remote_head(base) is None:
        raise RepositoryError(
            f"the remote has no branch {base} that a pull request could go to; push it first: "
            f"`git push -u origin {base}`"
        )
    wanted = _wanted(repository, files)
    changed = repository.outdated(wanted)
    tip = _commit(repository, changed, message) or repository.head()
    if repository.is_merged(tip, base):
        return Published((), None, base)
    topic = f"corespec/render-{_digest(files, _sources(repository, files))}"
    link = compare_url(repository.remote_url() or "", base, topic, forge)
    if _is_open(repository, topic, base, wanted) or not _create(repository, topic, tip, wanted):
        return Published((), None, topic, link, existed=True)
    return Published(tuple(sorted(changed)), tip, topic, link)


def _is_open(repository: GitRepository, topic: str, base: str, wanted: Files) -> bool:
    """Whether the topic branch waits to be merged; one that was merged before is used again."""
    there = _is_there(repository, topic, wanted)
    return there is not None and not repository.is_merged(there, base)


def _create(repository: GitRepository, topic: str, tip: str, wanted: Files) -> bool:
    """Push the topic branch; False when somebody else has just created it with the same content."""
    try:
        repository.push(topic, tip)
    except RemoteMovedError:
        if _is_there(repository, topic, wanted) is None:
            raise
        return False
    return True


def _is_there(repository: GitRepository, topic: str, wanted: Files) -> str | None:
    """Head of the topic branch on the remote, if any; raises where somebody made it hold something else."""
    there = repository.fetch_branch(topic)
    if there and repository.outdated(wanted, there):
        raise RepositoryError(
            f"the branch {topic} on the remote no longer holds what the specs render: somebody pushed to it. "
            f"Merge it, or delete it (`git push origin --delete {topic}`) and publish again"
        )
    return there


def _commit(repository: GitRepository, changed: Files, subject: str) -> str | None:
    if not changed:
        return None
    before = repository.files("HEAD", RENDERED, only=changed)
    after = {path: content for path, content in changed.items() if content is not None}
    body = message_body(diff_templates(before, after))
    message = f"{subject.strip() or 'Render'}\n\n{body}"
    return repository.commit(changed, message, author=repository.author(SPECS))


def _wanted(repository: GitRepository, files: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """`files`, and what HEAD's manifests list of the same environments that is rendered no longer."""
    wanted: dict[str, bytes | None] = dict(files)
    for manifest in (path for path in files if PurePosixPath(path).name == "manifest.json"):
        folder = PurePosixPath(manifest).parent
        for path in _listed(repository.read("HEAD", manifest)):
            if path not in files and folder in PurePosixPath(path).parents and ".." not in path.split("/"):
                wanted[path] = None
    return wanted


def _listed(manifest: bytes | None) -> list[str]:
    try:
        paths = list(json.loads(manifest or b"{}")["files"])
    except (ValueError, KeyError, TypeError):
        return []
    return [path for path in paths if isinstance(path, str)]


def _sources(repository: GitRepository, files: Mapping[str, bytes]) -> list[str | None]:
    """What a proposal starts from: the specs, and what each environment held before."""
    folders = sorted({PurePosixPath(path).parts[1] for path in files if path.startswith(f"{RENDERED}/")})
    return [repository.tree("HEAD", path) for path in (SPECS, *(f"{RENDERED}/{name}" for name in folders))]


def _digest(files: Mapping[str, bytes], sources: list[str | None]) -> str:
    """Name of a proposal: the same content on the same ground is the same branch."""
    total = hashlib.sha256(f"{sources}\0".encode())
    for path, content in sorted(files.items()):
        total.update(f"{path}\0{len(content)}\0".encode() + content)
    return total.hexdigest()[:12]
