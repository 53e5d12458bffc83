"""Git through real repositories on this machine: only named paths, no force, clear errors, no credentials in
them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from git.exc import GitCommandError

from generator.errors import RepositoryError
from generator.git_errors import redact, repository_error
from generator.publish import publish
from generator.repository import Credentials, GitRepository, RemoteMovedError

Git = Callable[..., str]
FILES = {"rendered/local/templates/a.yaml": b"a: 1\n", "rendered/local/manifest.json": b'{"files": {}}\n'}


def refuse_pushes(remote: Path) -> None:
    hook = remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)


def advance(git: Git, remote: Path, tmp_path: Path) -> str:
    """Somebody else pushes a commit to main."""
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", remote.as_uri(), str(other))
    (other / "theirs").write_text("x")
    git(other, "add", "theirs")
    git(other, "commit", "--quiet", "-m", "Theirs")
    git(other, "push", "--quiet", "origin", "main")
    return git(other, "rev-parse", "HEAD")


def test_publishing_commits_and_pushes_what_was_rendered_and_nothing_else(
    clone: Path, git: Git, tmp_path: Path
) -> None:
    """Other changes stay as they were: staged, unstaged or untracked."""
    (clone / "staged").write_text("x")
    git(clone, "add", "staged")
    (clone / "specs/meter-reading.yaml").write_text("changed")
    (clone / "untracked").write_text("x")
    published = publish(clone, FILES, "Render local", "main")
    assert published.changed == tuple(sorted(FILES))
    assert git(tmp_path / "remote.git", "rev-parse", "main") == published.commit
    assert git(clone, "show", "--name-only", "--format=", "HEAD").splitlines() == sorted(FILES)
    assert git(clone, "status", "--porcelain").splitlines() == [
        "M specs/meter-reading.yaml",
        "A  staged",
        "?? untracked",
    ]


def test_publishing_again_is_no_commit(clone: Path) -> None:
    first = publish(clone, FILES, "Render local", "main")
    again = publish(clone, FILES, "Render local", "main")
    assert again.changed == ()
    assert again.commit is None
    assert GitRepository.open(clone).head() == first.commit


def test_removed_files_are_committed_as_removed(clone: Path, git: Git) -> None:
    manifest = b'{"files": {"rendered/local/templates/a.yaml": "x"}}\n'
    publish(clone, FILES | {"rendered/local/manifest.json": manifest}, "Render", "main")
    publish(clone, {"rendered/local/manifest.json": b'{"files": {}}\n'}, "Render less", "main")
    assert (
        git(clone, "ls-tree", "-r", "--name-only", "origin/main", "rendered")
        == "rendered/local/manifest.json"
    )


def test_the_author_is_that_of_the_specs_and_the_committer_whoever_publishes(clone: Path, git: Git) -> None:
    """Also where the committer is a CI machine on which nobody configured a name."""
    specs = clone / "specs/meter-reading.yaml"
    specs.write_text(specs.read_text() + "# more\n")
    git(clone, "commit", "--quiet", '--author=Zoë "Z" Q <zoe@acme.io>', "-am", "Train longer")
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Something else")
    publish(clone, FILES, "Render local", "main")
    assert git(clone, "log", "-1", "--format=%an <%ae> | %cn <%ce> | %s") == (
        'Zoë "Z" Q <zoe@acme.io> | corespec <corespec@localhost> | Render local'
    )


def test_the_author_is_the_configured_one_where_the_specs_are_not_committed(clone: Path, git: Git) -> None:
    git(clone, "config", "user.name", "Ada")
    git(clone, "config", "user.email", "ada@localhost")
    (clone / "specs/meter-reading.yaml").write_text("changed")
    publish(clone, FILES, "Render local", "main")
    assert git(clone, "log", "-1", "--format=%an <%ae>") == "Ada <ada@localhost>"


def test_a_refused_push_says_so_and_a_later_one_goes_through(clone: Path, git: Git, tmp_path: Path) -> None:
    """A pre-receive hook refuses; once it is gone, publishing again pushes the commit that was made."""
    refuse_pushes(tmp_path / "remote.git")
    with pytest.raises(RepositoryError, match=r"main is protected.*publish as a pull request") as caught:
        publish(clone, FILES, "Render local", "main")
    assert not caught.value.transient
    (tmp_path / "remote.git/hooks/pre-receive").unlink()
    publish(clone, FILES, "Render local", "main")
    assert git(tmp_path / "remote.git", "rev-parse", "main") == git(clone, "rev-parse", "HEAD")


def test_a_push_behind_the_remote_is_refused_and_never_forced(clone: Path, git: Git, tmp_path: Path) -> None:
    """Pushing alone never rebases: that is left to `publish`."""
    theirs = advance(git, tmp_path / "remote.git", tmp_path)
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Ours")
    with pytest.raises(RemoteMovedError, match="commits that are not here; run `git pull --ff-only`"):
        GitRepository.open(clone).push("main")
    assert git(tmp_path / "remote.git", "rev-parse", "main") == theirs


def test_publishing_to_another_branch_than_the_one_checked_out_is_refused(clone: Path) -> None:
    with pytest.raises(RepositoryError, match="main is checked out, and publishing goes to release"):
        publish(clone, FILES, "Render local", "release")
    assert not (clone / "rendered").exists()


def test_a_pull_request_is_a_branch_of_its_own(clone: Path, git: Git, tmp_path: Path) -> None:
    """HEAD, the local branch and the index stay; the same content goes to the same branch."""
    head = git(clone, "rev-parse", "HEAD")
    published = publish(clone, FILES, "Render local", "main", pull_request=True)
    assert git(clone, "rev-parse", "HEAD") == head
    assert git(clone, "diff", "--cached", "--name-only") == ""
    assert git(tmp_path / "remote.git", "rev-parse", published.branch) == published.commit
    assert git(tmp_path / "remote.git", "rev-parse", f"{published.branch}^") == head
    assert published.branch.startswith("corespec/render-")
    assert published.compare_url is None


def test_reading_at_a_revision_fetches_what_is_unknown_once(clone: Path, git: Git, tmp_path: Path) -> None:
    theirs = advance(git, tmp_path / "remote.git", tmp_path)
    repository = GitRepository.open(clone)
    assert repository.read(theirs, "theirs") == b"x"
    assert repository.read("HEAD", "theirs") is None
    assert repository.read("HEAD", "specs") is None
    with pytest.raises(RepositoryError, match="no revision `0000000000000000000000000000000000000001`"):
        repository.read("0" * 39 + "1", "theirs")
    with pytest.raises(RepositoryError, match="no revision `no such thing`"):
        repository.read("no such thing", "theirs")


def test_contains_tells_ancestors_from_others(clone: Path, git: Git, tmp_path: Path) -> None:
    repository = GitRepository.open(clone)
    ours, theirs = repository.head(), advance(git, tmp_path / "remote.git", tmp_path)
    assert repository.contains(theirs, ours)
    assert repository.contains(ours, ours)
    assert not repository.contains(ours, theirs)


def test_fast_forward_follows_and_refuses_to_merge(clone: Path, git: Git, tmp_path: Path) -> None:
    repository = GitRepository.open(clone)
    theirs = advance(git, tmp_path / "remote.git", tmp_path)
    repository.fetch()
    assert repository.fast_forward("main") == theirs
    git(clone, "reset", "--quiet", "--hard", "HEAD~1")
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "Ours")
    with pytest.raises(RepositoryError, match="have diverged"):
        repository.fast_forward("main")


def test_paths_are_relative_to_the_project_below_the_top_of_the_clone(clone: Path, git: Git) -> None:
    """A project may be a folder of a larger repository."""
    below = clone / "specs"
    repository = GitRepository.open(below)
    (below / "new.yaml").write_text("x")
    assert not repository.is_clean(["new.yaml"])
    assert repository.is_clean(["meter-reading.yaml"])
    commit = repository.commit({"new.yaml": b"x", "not-there.yaml": None}, "Add")
    assert commit is not None
    repository.advance(commit, ["new.yaml"])
    assert repository.head() == commit
    assert repository.is_clean(["new.yaml"])
    assert repository.read("HEAD", "new.yaml") == b"x"
    assert repository.commit({"new.yaml": b"x"}, "Nothing") is None


def test_folders_without_a_repository_or_a_commit_are_clear_errors(git: Git, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="run `git init` there"):
        GitRepository.open(tmp_path)
    with pytest.raises(RepositoryError, match="run `git init` there"):
        GitRepository.open(tmp_path / "gone")
    git(tmp_path, "init", "--quiet")
    repository = GitRepository.open(tmp_path)
    with pytest.raises(RepositoryError, match="no commit yet"):
        repository.head()
    assert repository.remote_url() is None
    with pytest.raises(RepositoryError, match="fetch from origin"):
        repository.fetch()


def test_a_remote_that_cannot_be_reached_is_a_clear_error(clone: Path, git: Git) -> None:
    git(clone, "remote", "set-url", "origin", (clone / "gone.git").as_uri())
    with pytest.raises(RepositoryError, match=r"cannot push main to origin: .*check the remote"):
        GitRepository.open(clone).push("main")


@pytest.mark.parametrize(
    ("said", "remedy", "transient"),
    [
        (
            "! [rejected] main -> main (non-fast-forward)\nerror: failed to push some refs",
            "git pull --ff-only",
            False,
        ),
        ("! [remote rejected] main -> main (pre-receive hook declined)", "pull request", False),
        ("fatal: Authentication failed for 'https://example.com/'", "credentials do not work", False),
        (
            "fatal: could not read Username for 'https://example.com': terminal prompts disabled",
            "credentials",
            False,
        ),
        ("fatal: unable to access: The requested URL returned error: 403", "credentials", False),
        ("fatal: unable to access: Could not resolve host: example.com", "try again", True),
        ("fatal: unable to access: The requested URL returned error: 503", "try again", True),
        ("fatal: Unable to create '.git/index.lock': File exists.", "try again", True),
        ("fatal: repository 'https://example.com/x/' not found", "no such repository", False),
        ("something nobody has seen", "see the reason above", False),
    ],
)
def test_what_git_says_becomes_a_remedy(said: str, remedy: str, transient: bool) -> None:
    error = repository_error("push", GitCommandError(["git", "push"], 1, said))
    assert remedy in str(error)
    assert error.transient is transient


def test_no_error_and_no_repr_holds_a_credential(clone: Path, git: Git) -> None:
    git(clone, "remote", "set-url", "origin", "https://me:hunter2@127.0.0.1:1/x.git")
    with pytest.raises(RepositoryError) as caught:
        GitRepository.open(clone, Credentials("me", "hunter2")).push("main")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "hunter2" not in repr(Credentials("me", "hunter2"))
    assert redact("https://me:hunter2@example.com/x") == "https://example.com/x"


def test_credentials_of_several_lines_are_refused(clone: Path, git: Git) -> None:
    """A line break would let a value speak for another one; the value is in no error."""
    git(clone, "remote", "set-url", "origin", "https://git.acme.io/x.git")
    for username, password in (("me", "s3cret\nhost=evil.example"), ("m\re", "s3cret")):
        with pytest.raises(RepositoryError, match="holds a line break") as caught:
            GitRepository.open(clone, Credentials(username, password))
        assert "s3cret" not in str(caught.value)


def test_credentials_reach_git_through_its_helper_only(
    clone: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git credential fill` under the repository's environment answers for the remote's host and for
    no other; no file and no argument holds them.
    """
    git(clone, "remote", "set-url", "origin", "https://git.acme.io:8443/x.git")
    password = r"s3cret\n $(x) 'y' \"z\" %s"
    repository = GitRepository.open(clone, Credentials("me", password))
    environment = repository._repo.git.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for host, known in (("git.acme.io:8443", True), ("git.acme.io", False), ("example.com", False)):
        (clone / "question").write_text(f"protocol=https\nhost={host}\n\n")
        answer = git(clone, "-c", "alias.ask=!git credential fill < question", "ask")
        assert ("username=me" in answer) is known
        assert (f"password={password}" in answer.splitlines()) is known
    assert "s3cret" not in (clone / ".git/config").read_text()
