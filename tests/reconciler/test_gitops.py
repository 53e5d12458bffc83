"""The checkout follows the branch, explains old templates, and publishes only where it may."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from generator.errors import RepositoryError
from generator.spec.environment import Environment
from reconciler.errors import AuthenticationError, InputRejectedError, StaleRenderError
from reconciler.events import Emitter, Event, EventKind
from reconciler.gitops import Checkout
from reconciler.history import LOG_BYTES, EventLog
from reconciler.workbench import repository_url
from tests.reconciler.builders import ENVIRONMENT
from tests.reconciler.fake import FakeClock

FILE = "rendered/local/templates/x.yaml"


def _git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()


def _commit(clone: Path, path: str, content: str) -> str:
    (clone / path).parent.mkdir(parents=True, exist_ok=True)
    (clone / path).write_text(content)
    _git("add", path, cwd=clone)
    _git("commit", "--quiet", "--message", content, cwd=clone)
    return _git("rev-parse", "HEAD", cwd=clone)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    _git("init", "--quiet", "--bare", "--initial-branch=main", "origin.git", cwd=tmp_path)
    _git("clone", "--quiet", "origin.git", "clone", cwd=tmp_path)
    _commit(tmp_path / "clone", "specs/a.yaml", "a")
    return tmp_path / "clone"


def _environment(publish: str = "direct") -> Environment:
    git = ENVIRONMENT.git.model_copy(update={"publish": publish})
    return ENVIRONMENT.model_copy(update={"git": git})


def test_a_branch_that_nobody_has_pushed_is_none_to_follow(clone: Path) -> None:
    """The first reconcile of a new project publishes; there is nothing to fast-forward to."""
    checkout = Checkout(clone, _environment())
    assert checkout.follow_branch() is False
    assert checkout.published(FILE) is None
    assert list(checkout.history(FILE, 5)) == []


def test_publishing_once_is_enough(clone: Path) -> None:
    """What the branch holds already is not committed again."""
    checkout = Checkout(clone, _environment())
    done = checkout.publish({FILE: b"one\n"})
    assert done is not None
    assert (done.branch, done.awaits_merge) == ("main", False)
    assert done.commit == _git("rev-parse", "origin/main", cwd=clone)
    checkout.fetch()
    assert checkout.published(FILE) == b"one\n"
    assert checkout.publish({FILE: b"one\n"}) is None


def test_old_content_is_found_and_lost_revisions_are_no_failure(clone: Path) -> None:
    """Latest first; a revision that AI Core names and Git no longer has reads as absent."""
    first = _commit(clone, FILE, "one")
    second = _commit(clone, FILE, "two")
    _git("push", "--quiet", "origin", "main", cwd=clone)
    checkout = Checkout(clone, _environment())
    assert list(checkout.history(FILE, 5)) == [second, first]
    assert list(checkout.history(FILE, 1)) == [second]
    assert checkout.read(first, FILE) == b"one"
    assert checkout.read("f" * 40, FILE) is None
    assert checkout.read("Unknown", FILE) is None


def test_following_moves_the_checkout_and_refuses_a_fork(clone: Path, tmp_path: Path) -> None:
    """Fast-forward or nothing: two histories are for people to join."""
    _git("push", "--quiet", "origin", "main", cwd=clone)
    _git("clone", "--quiet", "origin.git", "other", cwd=tmp_path)
    _commit(tmp_path / "other", "specs/b.yaml", "b")
    _git("push", "--quiet", "origin", "main", cwd=tmp_path / "other")
    checkout = Checkout(clone, _environment())
    assert checkout.follow_branch() is True
    assert checkout.follow_branch() is False
    assert (clone / "specs" / "b.yaml").read_text() == "b"
    _commit(clone, "specs/c.yaml", "c")
    _commit(tmp_path / "other", "specs/d.yaml", "d")
    _git("push", "--quiet", "origin", "main", cwd=tmp_path / "other")
    with pytest.raises(RepositoryError, match="diverged"):
        checkout.follow_branch()


def test_publishing_is_left_to_people_where_the_environment_says_so(clone: Path) -> None:
    """The stale file, and the command that publishes it; nothing is committed."""
    before = _git("rev-parse", "HEAD", cwd=clone)
    with pytest.raises(StaleRenderError, match=FILE) as raised:
        Checkout(clone, _environment("none")).publish({FILE: b"one"})
    assert "corespec publish" in raised.value.remedy
    assert _git("rev-parse", "HEAD", cwd=clone) == before


def _merge(clone: Path, tmp_path: Path, branch: str) -> None:
    """Somebody accepts the pull request, elsewhere."""
    _git("clone", "--quiet", "origin.git", "reviewer", cwd=tmp_path)
    _git("merge", "--quiet", "--no-edit", f"origin/{branch}", cwd=tmp_path / "reviewer")
    _git("push", "--quiet", "origin", "main", cwd=tmp_path / "reviewer")


def test_a_pull_request_is_opened_once(clone: Path, tmp_path: Path) -> None:
    """The same content is one branch and one commit, however often it is asked for; new content is another.

    Neither the branch that AI Core follows nor the files of the checkout change before the merge.
    """
    _git("push", "--quiet", "origin", "main", cwd=clone)
    before = _git("rev-parse", "HEAD", cwd=clone)
    first = Checkout(clone, _environment("pull-request")).publish({FILE: b"one\n"})
    assert first is not None
    assert (first.files, first.awaits_merge) == (1, True)
    for _ in range(2):
        again = Checkout(clone, _environment("pull-request")).publish({FILE: b"one\n"})
        assert again is not None
        assert (again.branch, again.commit) == (first.branch, None)
    assert _git("rev-parse", first.branch, cwd=tmp_path / "origin.git") == first.commit
    assert _git("rev-parse", "main", cwd=tmp_path / "origin.git") == before
    assert _git("rev-parse", "HEAD", cwd=clone) == before
    other = Checkout(clone, _environment("pull-request")).publish({FILE: b"two\n"})
    assert other is not None
    assert other.branch != first.branch


def test_what_nobody_has_merged_is_refused(clone: Path) -> None:
    """Commits and specs of the checkout's own, where a merge is what counts; elsewhere they are fine."""
    reviewed = Checkout(clone, _environment("pull-request"))
    reviewed.check_merged()  # nobody has pushed the branch yet: publishing will say so
    _git("push", "--quiet", "origin", "main", cwd=clone)
    (clone / "notes.txt").write_text("mine")
    reviewed.check_merged()
    (clone / "specs" / "a.yaml").write_text("mine")
    with pytest.raises(InputRejectedError, match="changes in its specs"):
        reviewed.check_merged()
    _commit(clone, "specs/a.yaml", "mine too")
    with pytest.raises(InputRejectedError, match="has commits of its own"):
        reviewed.check_merged()
    Checkout(clone, _environment("direct")).check_merged()


def test_a_merged_pull_request_is_followed(clone: Path, tmp_path: Path) -> None:
    """The checkout is not in its own way: the merge is a fast-forward, and nothing is stale any more."""
    _git("push", "--quiet", "origin", "main", cwd=clone)
    checkout = Checkout(clone, _environment("pull-request"))
    done = checkout.publish({FILE: b"one\n"})
    assert done is not None
    _merge(clone, tmp_path, done.branch)
    assert checkout.follow_branch() is True
    assert (clone / FILE).read_text() == "one\n"
    assert checkout.publish({FILE: b"one\n"}) is None


def test_a_repository_that_refuses_the_push(clone: Path, tmp_path: Path) -> None:
    """Terminal: asking again changes nothing."""
    hook = tmp_path / "origin.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RepositoryError, match="refuses the push") as raised:
        Checkout(clone, _environment()).publish({FILE: b"one"})
    assert raised.value.transient is False


def test_credentials_that_lead_nowhere(clone: Path) -> None:
    """The reference is named before Git is asked."""
    document = ENVIRONMENT.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document["git"] |= {"username": "env:NO_SUCH_USER", "password": "env:NO_SUCH_TOKEN"}
    with pytest.raises(AuthenticationError, match="env:NO_SUCH_USER"):
        Checkout(clone, Environment.model_validate(document))


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("../gitops.git", True),
        ("https://git.example/x.git", False),
        ("git@git.example:x/y.git", False),
        ("file:///srv/x.git", False),
    ],
)
def test_only_a_relative_path_is_made_absolute(tmp_path: Path, url: str, absolute: bool) -> None:
    """AI Core does not know where the project lies."""
    document = ENVIRONMENT.model_dump(mode="json", by_alias=True, exclude_unset=True)
    document["git"]["url"] = url
    found = repository_url(Environment.model_validate(document).git, tmp_path / "project")
    assert found == (str(tmp_path / "gitops.git") if absolute else url)


def test_the_event_log_is_bounded_and_leaves_ticks_out(tmp_path: Path) -> None:
    """JSON lines; one older part is kept; progress is for the terminal."""
    path = tmp_path / "x" / "events.jsonl"
    seen: list[Event] = []
    emit = Emitter(FakeClock(), EventLog(path, "local"), seen.append)
    emit(EventKind.DONE, "dataset/s/d", "uploaded", id="1")
    emit(EventKind.RUNNING, "execution/s/e", "step 1")
    assert [json.loads(line)["data"] for line in path.read_text().splitlines()] == [{"id": "1"}]
    assert len(seen) == 2
    path.write_text("x" * (LOG_BYTES + 1))
    emit(EventKind.FAILED, "a", "b")
    assert len(path.read_text().splitlines()) == 1
    assert path.with_suffix(".1.jsonl").stat().st_size == LOG_BYTES + 1
