"""Publishing from every state that a clone can be in: only our files are committed, the user's stay alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.errors import RepositoryError
from generator.publish import Published, publish
from generator.repository import GitRepository

Git = Callable[..., str]
TEMPLATE = "rendered/local/templates/a.yaml"
MANIFEST = "rendered/local/manifest.json"


def rendered(image: str = "a:1", environment: str = "local") -> dict[str, bytes]:
    """What a project of one executable renders to."""
    template = f"rendered/{environment}/templates/a.yaml"
    manifest = json.dumps({"files": {template: image}}).encode()
    content = f"kind: WorkflowTemplate\nspec: {{image: {image}}}\n".encode()
    return {template: content, f"rendered/{environment}/manifest.json": manifest}


def direct(root: Path, image: str = "a:1", environment: str = "local") -> Published:
    return publish(root, rendered(image, environment), "Render", "main")


def propose(root: Path, image: str = "a:1") -> Published:
    return publish(root, rendered(image), "Render", "main", pull_request=True)


def other_clone(git: Git, clone: Path, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "--quiet", (tmp_path / "remote.git").as_uri(), "other")
    return tmp_path / "other"


def commit(git: Git, folder: Path, path: str, text: str) -> str:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    git(folder, "add", path)
    git(folder, "commit", "--quiet", "-m", f"Change {path}")
    return git(folder, "rev-parse", "HEAD")


def state(git: Git, root: Path) -> tuple[str, str, str]:
    """Branch, index and working tree: what must not change."""
    return (
        git(root, "rev-parse", "HEAD"),
        git(root, "diff", "--cached", "--raw"),
        git(root, "status", "--porcelain", "--untracked-files=all"),
    )


def test_the_message_lists_what_changed_in_each_executable(clone: Path, git: Git) -> None:
    direct(clone)
    assert git(clone, "log", "-1", "--format=%B") == (
        "Render\n\n1 file added: 1 change retrains.\n\na (local):\n- a.yaml added"
    )
    direct(clone, "a:2")
    assert git(clone, "log", "-1", "--format=%B").splitlines()[2:] == [
        "1 file changed: 1 change retrains.",
        "",
        "a (local):",
        "- spec.image: a:1 -> a:2",
    ]


def test_the_message_is_bounded_and_does_nothing_on_a_server(clone: Path, git: Git) -> None:
    """No mention, no issue that is closed, no trailer; hundreds of changes are counted."""
    text = "@acme/admins fixes #1 GH-2 see me@acme.io\nSigned-off-by: x <x@y>"
    for value in ("x", text):
        env = [{"name": f"V{index}", "value": f"{value}{index}"} for index in range(300)]
        template = json.dumps({"kind": "WorkflowTemplate", "spec": {"env": env}}).encode()
        publish(clone, rendered() | {TEMPLATE: template}, "Subject\0 with #", "main")
    message = git(clone, "log", "-1", "--format=%B")
    assert message.startswith("Subject with #\n")
    body = message.partition("\n")[2]
    assert len(body.splitlines()) < 50
    assert max(map(len, body.splitlines())) <= 100
    assert "more lines" in body
    for sign in (" @a", '"@a', "#1", "GH-2"):
        assert sign not in body
    assert git(clone, "log", "-1", "--format=%(trailers)") == ""


def test_rendering_first_and_publishing_then_removes_what_is_gone(clone: Path, git: Git) -> None:
    """`corespec render` has cleaned the disk already; Git still lists the old template in its manifest."""
    direct(clone)
    files = {MANIFEST: b'{"files": {}}'}
    (clone / TEMPLATE).unlink()
    (clone / MANIFEST).write_bytes(files[MANIFEST])
    published = publish(clone, files, "Render", "main")
    assert published.changed == (MANIFEST, TEMPLATE)
    assert git(clone, "ls-tree", "-r", "--name-only", "origin/main", "rendered") == MANIFEST
    assert git(clone, "status", "--porcelain") == ""


def test_a_manifest_lists_nothing_to_remove_outside_of_its_environment(clone: Path, git: Git) -> None:
    listed = ["specs/meter-reading.yaml", "rendered/local/../../specs/x", "rendered/prod/x.yaml", 1]
    commit(git, clone, MANIFEST, json.dumps({"files": listed}))
    commit(git, clone, "rendered/prod/x.yaml", "a: 1")
    assert set(direct(clone).changed) == {MANIFEST, TEMPLATE}


@pytest.mark.parametrize("manifest", ["", "[]", "{", '{"files": 1}', '{"files": null}'])
def test_a_broken_manifest_in_git_is_replaced(clone: Path, git: Git, manifest: str) -> None:
    commit(git, clone, MANIFEST, manifest)
    assert MANIFEST in direct(clone).changed


def test_a_pull_request_carries_local_commits_and_leaves_the_checkout_alone(clone: Path, git: Git) -> None:
    """Specs that were committed here travel with it; what is staged, changed or untracked does not."""
    specs = commit(git, clone, "specs/more.yaml", "a: 1")
    (clone / "staged").write_text("x")
    git(clone, "add", "staged")
    (clone / "specs/meter-reading.yaml").write_text("changed")
    (clone / "untracked").write_text("x")
    before = state(git, clone)
    published = propose(clone)
    assert state(git, clone) == before
    assert not (clone / "rendered").exists()
    assert git(clone, "rev-parse", f"{published.commit}^") == specs
    assert git(clone, "show", "--name-only", "--format=", str(published.commit)).splitlines() == [
        MANIFEST,
        TEMPLATE,
    ]


def test_a_pull_request_of_commits_that_hold_everything_already(clone: Path, git: Git) -> None:
    """Who rendered and committed by hand proposes those commits; who has nothing to propose is told so."""
    for path, content in rendered().items():
        commit(git, clone, path, content.decode())
    published = propose(clone)
    assert published.commit == git(clone, "rev-parse", "HEAD")
    assert published.changed == ()
    git(clone, "push", "--quiet", "origin", "main")
    assert propose(clone) == Published((), None, "main")


def test_new_specs_are_a_new_pull_request_and_other_commits_are_not(clone: Path, git: Git) -> None:
    """The branch is named after what is rendered and the specs, so that a busy main makes no second one."""
    first = propose(clone)
    commit(git, clone, "README.md", "other")
    assert propose(clone) == Published((), None, first.branch, None, existed=True)
    commit(git, clone, "specs/more.yaml", "# comment")
    assert propose(clone).branch != first.branch


def test_going_back_to_an_earlier_content_is_proposed_again(clone: Path, git: Git) -> None:
    """Its first branch is still on the server, merged or squashed: it must not be taken for an open one."""
    direct(clone)
    first = propose(clone, "a:2")
    git(clone, "merge", "--quiet", "--ff-only", str(first.commit))
    git(clone, "push", "--quiet", "origin", "main")
    assert propose(clone, "a:2") == Published((), None, "main")
    back = propose(clone, "a:1")
    git(clone, "merge", "--quiet", "--squash", str(back.commit))
    git(clone, "commit", "--quiet", "-m", "Squashed")
    git(clone, "push", "--quiet", "origin", "main")
    again = propose(clone, "a:2")
    assert again.branch == first.branch
    assert again.commit
    assert not again.existed


def test_line_ends_filters_and_attributes_change_no_byte(clone: Path, git: Git) -> None:
    """AI Core has to see what was rendered, whatever this clone converts for its owner."""
    git(clone, "config", "core.autocrlf", "true")
    git(clone, "config", "filter.upper.clean", "tr a-z A-Z")
    commit(git, clone, ".gitattributes", "*.yaml filter=upper ident\n*.json text eol=crlf\n")
    files = rendered() | {TEMPLATE: b"a: 1\r\nb: $Id$\n"}
    for pull_request in (True, False):
        published = publish(clone, files, "Render", "main", pull_request=pull_request)
        repository = GitRepository.open(clone)
        assert {path: repository.read(str(published.commit), path) for path in files} == files


def test_a_project_in_a_folder_of_a_larger_repository(clone: Path, git: Git) -> None:
    """Paths, author and specs are those of the project folder."""
    nested = clone / "teams/vision"
    commit(git, nested.parent.parent, "teams/vision/specs/a.yaml", "a: 1")
    commit(git, clone, "rendered/local/templates/foreign.yaml", "a: 1")
    published = direct(nested)
    files = git(clone, "show", "--name-only", "--format=", "HEAD").splitlines()
    assert files == [f"teams/vision/{path}" for path in sorted(rendered())]
    assert set(published.changed) == set(rendered())
    assert propose(nested, "a:2").commit


def test_a_worktree(clone: Path, git: Git, tmp_path: Path) -> None:
    """`git worktree`: its .git is a file, its index its own."""
    git(clone, "switch", "--quiet", "-c", "elsewhere")
    git(clone, "worktree", "add", "--quiet", str(tmp_path / "tree"), "main")
    before = state(git, clone)
    published = direct(tmp_path / "tree")
    assert git(tmp_path / "remote.git", "rev-parse", "main") == published.commit
    assert git(tmp_path / "tree", "status", "--porcelain") == ""
    assert state(git, clone) == before


def test_submodules_are_neither_committed_nor_pushed(clone: Path, git: Git, tmp_path: Path) -> None:
    """Not even where the user's configuration asks for it."""
    (tmp_path / "library").mkdir()
    git(tmp_path / "library", "init", "--quiet")
    commit(git, tmp_path / "library", "x", "1")
    git(clone, "submodule", "--quiet", "add", str(tmp_path / "library"), "library")
    git(clone, "commit", "--quiet", "-am", "Add library")
    git(clone, "config", "push.recurseSubmodules", "on-demand")
    recorded = git(clone, "rev-parse", "HEAD:library")
    commit(git, clone / "library", "x", "2")
    direct(clone)
    assert git(clone, "rev-parse", "HEAD:library") == recorded
    assert git(clone, "status", "--porcelain") == "M library"
    assert git(tmp_path / "library", "rev-list", "--count", "HEAD") == "1"


def test_a_project_that_is_itself_a_submodule(clone: Path, git: Git, tmp_path: Path) -> None:
    """Its own repository gets the commit; the one around it is left alone."""
    (tmp_path / "around").mkdir()
    git(tmp_path / "around", "init", "--quiet")
    git(tmp_path / "around", "submodule", "--quiet", "add", (tmp_path / "remote.git").as_uri(), "gitops")
    git(tmp_path / "around", "commit", "--quiet", "-m", "Begin")
    published = direct(tmp_path / "around/gitops")
    assert git(tmp_path / "remote.git", "rev-parse", "main") == published.commit
    assert git(tmp_path / "around", "rev-list", "--count", "HEAD") == "1"
    assert git(tmp_path / "around", "diff", "--cached", "--name-only") == ""


@pytest.mark.parametrize("what", ["submodule", "link", "file"])
def test_a_folder_that_git_does_not_hold_as_one_is_a_clear_error(
    clone: Path, git: Git, tmp_path: Path, what: str
) -> None:
    """`rendered` as a submodule, a link or a file: nothing is written and nothing committed."""
    if what == "submodule":
        git(clone, "submodule", "--quiet", "add", (tmp_path / "remote.git").as_uri(), "rendered")
    elif what == "link":
        (tmp_path / "outside").mkdir()
        (clone / "rendered").symlink_to(tmp_path / "outside")
    else:
        (clone / "rendered").write_text("x")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "-m", "Rendered elsewhere")
    before = state(git, clone)
    for run in (direct, propose):
        with pytest.raises(RepositoryError, match=r"rendered is (a submodule|a file or a link) in Git"):
            run(clone)
    assert state(git, clone) == before


@pytest.mark.parametrize("pattern", ["rendered/", "*.yaml", "/rendered/**/templates"])
def test_an_ignored_folder_is_a_clear_error(clone: Path, git: Git, pattern: str) -> None:
    """The line that ignores it is named; a negated one is none."""
    commit(git, clone, ".gitignore", f"# what\n{pattern}\n")
    for run in (direct, propose):
        with pytest.raises(RepositoryError, match=r"is ignored by Git \(\.gitignore:2: ") as caught:
            run(clone)
        assert pattern in str(caught.value)
    assert not (clone / "rendered").exists()
    commit(git, clone, ".gitignore", "*.yaml\n*.json\n!rendered/**\n")
    assert direct(clone).commit
    commit(git, clone, ".gitignore", "!*.json\n*.yaml\n")
    with pytest.raises(
        RepositoryError, match=r"rendered/prod/templates/a.yaml is ignored by Git \(\.gitignore:2"
    ):
        direct(clone, environment="prod")


def test_modes_and_an_executable_bit(clone: Path, git: Git) -> None:
    """Files are committed as plain files; the bit alone is nobody's change."""
    direct(clone)
    assert git(clone, "ls-tree", "HEAD", TEMPLATE).startswith("100644 ")
    git(clone, "update-index", "--chmod=+x", TEMPLATE)
    git(clone, "commit", "--quiet", "-m", "Executable")
    assert direct(clone).commit is None
    direct(clone, "a:2")
    assert git(clone, "ls-tree", "HEAD", TEMPLATE).startswith("100644 ")


def test_hooks_for_commits_do_not_run_and_hooks_for_pushes_do(clone: Path, git: Git) -> None:
    """What is generated is not reformatted on its way; who checks pushes still checks them."""
    hooks = clone / ".git/hooks"
    for name, text in (("pre-commit", "exit 1"), ("pre-push", "echo no pushes today >&2; exit 1")):
        (hooks / name).write_text(f"#!/bin/sh\n{text}\n")
        (hooks / name).chmod(0o755)
    with pytest.raises(RepositoryError, match="no pushes today"):
        direct(clone)
    (hooks / "pre-push").unlink()
    assert direct(clone).commit is None


def test_a_detached_head_and_another_branch(clone: Path, git: Git) -> None:
    git(clone, "switch", "--quiet", "--detach")
    with pytest.raises(RepositoryError, match=r"no branch is checked out.*or publish as a pull request"):
        direct(clone)
    assert propose(clone).commit
    git(clone, "switch", "--quiet", "-c", "feature")
    with pytest.raises(RepositoryError, match="feature is checked out, and publishing goes to main"):
        direct(clone)


def test_what_others_pushed_comes_into_the_checkout(clone: Path, git: Git, tmp_path: Path) -> None:
    """Changed, new and deleted files; staged, changed and untracked ones of the user stay what they are."""
    commit(git, clone, "README.md", "one")
    commit(git, clone, "old.txt", "old")
    git(clone, "push", "--quiet")
    other = other_clone(git, clone, tmp_path)
    commit(git, other, "README.md", "two")
    git(other, "rm", "--quiet", "old.txt")
    theirs = commit(git, other, "specs/theirs.yaml", "a: 1")
    git(other, "push", "--quiet")
    (clone / "staged").write_text("x")
    git(clone, "add", "staged")
    (clone / "specs/meter-reading.yaml").write_text("changed")
    (clone / "untracked").write_text("x")
    published = direct(clone)
    assert published.rebased
    assert git(clone, "rev-parse", "HEAD^") == theirs
    assert (
        git(clone, "rev-parse", "HEAD")
        == git(tmp_path / "remote.git", "rev-parse", "main")
        == published.commit
    )
    assert (clone / "README.md").read_text() == "two"
    assert not (clone / "old.txt").exists()
    assert git(clone, "status", "--porcelain").splitlines() == [
        "M specs/meter-reading.yaml",
        "A  staged",
        "?? untracked",
    ]
    assert git(clone, "log", "-1", "--format=%an %s") == "corespec Render"


def test_local_changes_in_the_way_stop_before_anything_is_pushed(
    clone: Path, git: Git, tmp_path: Path
) -> None:
    """Somebody pushed a change of a file that is being edited here."""
    other = other_clone(git, clone, tmp_path)
    theirs = commit(git, other, "specs/meter-reading.yaml", "theirs")
    git(other, "push", "--quiet")
    (clone / "specs/meter-reading.yaml").write_text("mine")
    with pytest.raises(RepositoryError, match="local changes stand in the way; commit or discard them"):
        direct(clone)
    assert git(tmp_path / "remote.git", "rev-parse", "main") == theirs
    assert (clone / "specs/meter-reading.yaml").read_text() == "mine"
    assert git(clone, "log", "-1", "--format=%s") == "Render"


def test_commits_of_the_user_are_never_rewritten(clone: Path, git: Git, tmp_path: Path) -> None:
    """They are pushed where that is possible; where the remote has moved, their owner decides."""
    mine = commit(git, clone, "specs/mine.yaml", "a: 1")
    other = other_clone(git, clone, tmp_path)
    theirs = commit(git, other, "specs/theirs.yaml", "a: 1")
    git(other, "push", "--quiet")
    with pytest.raises(
        RepositoryError, match=rf"a commit of your own .*\({mine[:10]}\); run `git pull --rebase`"
    ):
        direct(clone)
    assert git(tmp_path / "remote.git", "rev-parse", "main") == theirs
    assert git(clone, "rev-parse", "HEAD^") == mine
    git(clone, "pull", "--quiet", "--rebase", "origin", "main")
    assert direct(clone).commit is None
    assert git(tmp_path / "remote.git", "rev-parse", "main") == git(clone, "rev-parse", "HEAD")


def test_several_commits_of_ours_keep_their_messages_and_authors(
    clone: Path, git: Git, tmp_path: Path
) -> None:
    """Two publications that never left this machine go on top one by one."""
    hook = tmp_path / "remote.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    for number in (1, 2):
        with pytest.raises(RepositoryError, match="refuses the push"):
            publish(clone, rendered(f"a:{number}"), f"Render {number}", "main")
    hook.unlink()
    other = other_clone(git, clone, tmp_path)
    commit(git, other, "README.md", "two")
    git(other, "push", "--quiet")
    before = git(clone, "log", "-2", "--format=%an %ad %B")
    assert direct(clone, "a:2").rebased
    assert git(clone, "log", "-2", "--format=%an %ad %B") == before


def test_a_removal_on_both_sides_and_one_that_collides(clone: Path, git: Git, tmp_path: Path) -> None:
    direct(clone)
    other = other_clone(git, clone, tmp_path)
    git(other, "rm", "--quiet", TEMPLATE)
    git(other, "commit", "--quiet", "-m", "Remove")
    git(other, "push", "--quiet")
    published = publish(clone, {MANIFEST: b'{"files": {}}'}, "Render", "main")
    assert published.rebased
    assert git(clone, "ls-tree", "-r", "--name-only", "HEAD", "rendered") == MANIFEST
    git(other, "pull", "--quiet", "--ff-only")
    commit(git, other, TEMPLATE, "theirs")
    git(other, "push", "--quiet")
    before = git(clone, "rev-parse", "HEAD")
    with pytest.raises(RepositoryError, match=rf"another {TEMPLATE}; .*git reset --keep {before[:12]}"):
        direct(clone)
    assert git(clone, "status", "--porcelain") == ""


def test_a_branch_that_was_deleted_meanwhile_is_created_again(clone: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path / "remote.git", "update-ref", "-d", "refs/heads/main")
    assert git(tmp_path / "remote.git", "for-each-ref") == ""
    published = direct(clone)
    assert git(tmp_path / "remote.git", "rev-parse", "main") == published.commit


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c touch% pwned",
        "--upload-pack=touch pwned",
        "-oProxyCommand=touch pwned:x",
        "ssh://-oProxyCommand=touch%20pwned/x",
        "git@-oProxyCommand=touch:x",
        "fd::17",
        "ftp://example.com/x",
        "transport::address",
        "https://exam\x07ple.com/x",
    ],
)
def test_a_remote_that_is_a_program_or_an_option_is_refused(
    clone: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Even where this machine's configuration lets it through; no command gets to see the URL."""
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:fd:file:https:ftp:ssh:transport")
    git(clone, "config", "protocol.ext.allow", "always")
    for setting, run in (("pushurl", direct), ("url", propose)):
        git(clone, "config", f"remote.origin.{setting}", url)
        with pytest.raises(RepositoryError, match="the URL of the remote is none that corespec pushes to"):
            run(clone)
    assert not list(tmp_path.rglob("pwned"))


def test_a_transport_that_only_a_substitution_brings_in(clone: Path, git: Git, tmp_path: Path) -> None:
    """`insteadOf` turns a harmless URL into a program: it is looked at after that."""
    git(clone, "config", "url.ext::sh -c touch% pwned% .insteadOf", "acme:")
    git(clone, "config", "remote.origin.url", "acme:x")
    with pytest.raises(RepositoryError, match="the URL of the remote is none"):
        direct(clone)
    assert not list(tmp_path.rglob("pwned"))


def test_a_branch_that_is_an_option_or_a_refspec_is_refused(clone: Path, git: Git) -> None:
    before = state(git, clone)
    options = ["--force", "-d", "x:y", ""]
    illegal = ["a b", "a..b", "@", "a~1", "a.lock", "refs^", "a\nb", "/a", "a/", "a@{1}"]
    for branch in (*options, *illegal):
        for pull_request in (True, False):
            with pytest.raises(RepositoryError, match=r"the name of a branch|is checked out"):
                publish(clone, rendered(), "Render", branch, pull_request=pull_request)
    assert state(git, clone) == before


@pytest.mark.parametrize("name", ["+main", "$(touch pwned)", "zähler/ünïcode", "a;touch pwned", "a'b\"c`d`"])
def test_a_branch_with_a_hostile_but_legal_name(clone: Path, git: Git, tmp_path: Path, name: str) -> None:
    name = name.replace(" ", "${IFS}")
    git(clone, "switch", "--quiet", "-c", name)
    published = publish(clone, rendered(), "Render", name)
    assert git(tmp_path / "remote.git", "rev-parse", f"refs/heads/{name}") == published.commit
    assert publish(clone, rendered("a:2"), "Render", name, pull_request=True).commit
    assert not list(tmp_path.rglob("pwned"))


def test_configuration_by_variables_is_kept(clone: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a CI system sets with GIT_CONFIG_COUNT is still there beside what corespec adds."""
    from generator.git_environment import Credentials, variables

    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    found = variables(Credentials("me", "s3cret"), ["https://git.acme.io/x", "ssh://git@acme.io/x"])
    assert found["GIT_CONFIG_COUNT"] == "3"
    assert "GIT_CONFIG_KEY_0" not in found
    assert found["GIT_CONFIG_KEY_2"] == "credential.https://git.acme.io.helper"
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "https:ext")
    assert variables(None, [])["GIT_ALLOW_PROTOCOL"] == "https"
