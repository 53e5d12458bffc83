"""Publishing to a real Git server over HTTP: tokens, races, protected branches, pull requests."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from generator.errors import RepositoryError
from generator.publish import Published, publish
from generator.repository import Credentials, GitRepository
from tests.end_to_end.world import World
from tests.integration.git_http import TOKEN, USER, GitServer, git, has_backend, serving

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not has_backend(), reason="needs git-http-backend: apt-get install git"),
]

GOOD = Credentials(USER, TOKEN)
BASIC = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()


def rendered(environment: str = "local", image: str = "a:1") -> dict[str, bytes]:
    """What a project of one executable renders to."""
    folder = f"rendered/{environment}"
    template = f"kind: WorkflowTemplate\nspec:\n  image: {image}\n".encode()
    manifest = f'{{"files": {{"{folder}/templates/a.yaml": "{image}"}}}}\n'.encode()
    return {f"{folder}/templates/a.yaml": template, f"{folder}/manifest.json": manifest}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A server with one repository, `gitops.git`, that is still empty."""
    with serving(tmp_path / "server") as running:
        running.create()
        yield running


def start(folder: Path, url: str) -> Path:
    """A new project with specs in one commit, and a remote that was never pushed to."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", url)
    (folder / "specs").mkdir()
    (folder / "specs" / "a.yaml").write_text("kind: Scenario\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "Specs")
    return folder


def clone(server: GitServer, folder: Path, *options: str) -> Path:
    """A clone of `gitops.git`; its remote's URL holds no credentials."""
    git(folder.parent, "clone", "--quiet", *options, server.url(credentials=f"{USER}:{TOKEN}"), str(folder))
    git(folder, "remote", "set-url", "origin", server.url())
    return folder


@pytest.fixture
def project(server: GitServer, tmp_path: Path) -> Path:
    """A project whose specs and first rendering are on the server's main."""
    folder = start(tmp_path / "project", server.url())
    publish(folder, rendered(), "Render local", "main", credentials=GOOD)
    return folder


def there(server: GitServer, revision: str = "main", name: str = "gitops.git") -> str:
    return git(server.root / name, "rev-parse", revision)


def content(server: GitServer, path: str, revision: str = "main") -> str:
    return git(server.root / "gitops.git", "show", f"{revision}:{path}")


def test_the_first_push_creates_the_branch_of_an_empty_repository(server: GitServer, tmp_path: Path) -> None:
    folder = start(tmp_path / "project", server.url())
    published = publish(folder, rendered(), "Render local", "main", credentials=GOOD)
    assert there(server) == published.commit
    assert content(server, "rendered/local/templates/a.yaml").endswith("image: a:1")


def test_a_branch_that_the_remote_lacks_is_created(server: GitServer, project: Path) -> None:
    git(project, "switch", "--quiet", "-c", "release")
    published = publish(project, rendered(image="a:2"), "Render", "release", credentials=GOOD)
    assert there(server, "release") == published.commit


@pytest.mark.parametrize("credentials", [Credentials(USER, "wr0ng"), Credentials("readonly", "t"), None])
def test_a_refused_token_is_one_error_without_the_token(
    server: GitServer, project: Path, credentials: Credentials | None
) -> None:
    """401 (unknown), 403 (without the right), none at all; afterwards the good one pushes the same commit."""
    before = there(server)
    for pull_request in (False, True):
        with pytest.raises(RepositoryError, match="credentials do not work") as caught:
            publish(
                project,
                rendered(image="a:2"),
                "R",
                "main",
                pull_request=pull_request,
                credentials=credentials,
            )
        assert caught.value.transient is False
        assert "wr0ng" not in str(caught.value)
    assert there(server) == before
    publish(project, rendered(image="a:2"), "R", "main", credentials=GOOD)
    assert there(server) == git(project, "rev-parse", "HEAD")


def test_credentials_in_the_url_of_the_remote_are_in_no_error(server: GitServer, project: Path) -> None:
    git(project, "remote", "set-url", "origin", server.url(credentials="robot:s3cret"))
    with pytest.raises(RepositoryError, match="credentials do not work") as caught:
        publish(project, rendered(image="a:2"), "R", "main")
    assert "s3cret" not in str(caught.value)
    assert "robot:" not in str(caught.value)


def test_an_extra_header_of_the_configuration_is_used_and_not_told(server: GitServer, project: Path) -> None:
    """CI checkouts keep their token in `http.extraHeader`: it works, and is in no error."""
    git(project, "config", f"http.{server.origin}/.extraHeader", f"Authorization: Basic {BASIC}")
    published = publish(project, rendered(image="a:2"), "R", "main")
    assert there(server) == published.commit
    server.protect("gitops.git", "main")
    with pytest.raises(RepositoryError) as caught:
        publish(project, rendered(image="a:3"), "R", "main")
    assert BASIC not in str(caught.value)


def test_credentials_do_not_follow_a_remote_elsewhere(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    """A second server asks for a password: it gets none of the first one's."""
    with serving(tmp_path / "second") as second:
        second.create()
        repository = GitRepository.open(project, GOOD)
        git(project, "remote", "set-url", "origin", second.url())
        with pytest.raises(RepositoryError, match="credentials do not work"):
            repository.fetch()


def test_a_protected_branch_is_refused_and_a_pull_request_goes_through(
    server: GitServer, project: Path
) -> None:
    server.protect("gitops.git", "main")
    before = there(server)
    with pytest.raises(RepositoryError, match=r"GH006.*publish as a pull request"):
        publish(project, rendered(image="a:2"), "R", "main", credentials=GOOD)
    assert there(server) == before
    published = publish(project, rendered(image="a:2"), "R", "main", pull_request=True, credentials=GOOD)
    assert there(server, published.branch) == git(project, "rev-parse", "HEAD")


def test_a_repository_that_is_not_there_and_a_server_that_is_not(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    git(project, "remote", "set-url", "origin", server.url("other.git"))
    with pytest.raises(RepositoryError, match="no such repository"):
        publish(project, rendered(image="a:2"), "R", "main", credentials=GOOD)
    with serving(tmp_path / "gone") as gone:
        git(project, "remote", "set-url", "origin", gone.url())
    with pytest.raises(RepositoryError, match="try again") as caught:
        publish(project, rendered(image="a:2"), "R", "main", credentials=GOOD)
    assert caught.value.transient is True


def together(
    *work: tuple[Path, dict[str, bytes]], pull_request: bool = False
) -> list[Published | RepositoryError]:
    """Publish from several clones at once; the outcome of each."""

    def run(folder: Path, files: dict[str, bytes]) -> Published | RepositoryError:
        try:
            return publish(folder, files, "R", "main", pull_request=pull_request, credentials=GOOD)
        except RepositoryError as error:
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, *zip(*work, strict=True)))


def test_two_writers_of_two_environments_both_arrive(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    """Both push on the same old head at the same moment; the loser's commit is put on top of the winner's."""
    other = clone(server, tmp_path / "other")
    (other / "notes.txt").write_text("mine")
    git(other, "add", "notes.txt")
    server.race(2)
    outcomes = together((project, rendered("dev")), (other, rendered("prod")))
    assert all(isinstance(outcome, Published) for outcome in outcomes), outcomes
    assert sorted(outcome.rebased for outcome in outcomes if isinstance(outcome, Published)) == [False, True]
    assert content(server, "rendered/dev/manifest.json")
    assert content(server, "rendered/prod/manifest.json")
    assert git(server.root / "gitops.git", "rev-list", "--count", "main") == "4"
    assert git(other, "status", "--porcelain") == "A  notes.txt"
    loser = next(
        p for p, o in zip((project, other), outcomes, strict=True) if isinstance(o, Published) and o.rebased
    )
    assert git(loser, "rev-parse", "HEAD") == there(server)
    assert (loser / "rendered/dev/manifest.json").exists()
    assert (loser / "rendered/prod/manifest.json").exists()


def test_two_writers_of_the_same_content_agree(server: GitServer, project: Path, tmp_path: Path) -> None:
    """The loser finds the winner's commit and takes it: one commit, no error."""
    other = clone(server, tmp_path / "other")
    server.race(2)
    outcomes = together((project, rendered(image="a:2")), (other, rendered(image="a:2")))
    assert all(isinstance(outcome, Published) for outcome in outcomes), outcomes
    assert {git(folder, "rev-parse", "HEAD") for folder in (project, other)} == {there(server)}
    assert git(server.root / "gitops.git", "rev-list", "--count", "main") == "3"


def test_two_writers_of_one_file_leave_one_with_a_clear_error(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    """Nothing is merged line by line and nothing lost; what the error says to do works."""
    other = clone(server, tmp_path / "other")
    server.race(2)
    outcomes = together((project, rendered(image="a:2")), (other, rendered(image="a:3")))
    (error,) = [outcome for outcome in outcomes if isinstance(outcome, RepositoryError)]
    assert not error.transient
    assert "your branch is as it was" in str(error)
    loser, image = (project, "a:2") if outcomes[0] is error else (other, "a:3")
    assert git(loser, "status", "--porcelain") == ""
    assert git(loser, "show", "HEAD:rendered/local/templates/a.yaml").endswith(f"image: {image}")
    base = str(error).partition("git reset --keep ")[2][:12]
    git(loser, "reset", "--quiet", "--keep", base)
    git(
        loser,
        "-c",
        f"http.extraHeader=Authorization: Basic {BASIC}",
        "pull",
        "--quiet",
        "--ff-only",
        "origin",
        "main",
    )
    published = publish(loser, rendered(image=image), "R", "main", credentials=GOOD)
    assert there(server) == published.commit
    assert content(server, "rendered/local/templates/a.yaml").endswith(f"image: {image}")


def test_a_branch_that_moves_twice_ends_in_a_clear_error(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    """Before each of our pushes somebody else pushes: one rebase, then an error; our branch is as it was."""
    other = clone(server, tmp_path / "other")
    busy = threading.Lock()

    def meddle() -> None:
        if busy.acquire(blocking=False):
            git(other, "commit", "--quiet", "--allow-empty", "-m", "Theirs")
            git(other, "push", "--quiet", str(server.root / "gitops.git"), "main")
            busy.release()

    server.before_push = meddle
    with pytest.raises(RepositoryError, match=r"main moved again .*Publish again") as caught:
        publish(project, rendered(image="a:2"), "R", "main", credentials=GOOD)
    assert not caught.value.transient
    assert server.pushes == 3  # the fixture's, ours, ours on top of theirs
    assert there(server) == git(other, "rev-parse", "HEAD")
    assert git(project, "log", "-1", "--format=%s") == "R"
    assert git(project, "status", "--porcelain") == ""
    server.before_push = lambda: None
    assert publish(project, rendered(image="a:2"), "R", "main", credentials=GOOD).rebased
    assert there(server) == git(project, "rev-parse", "HEAD")


def test_a_pull_request_twice_is_one_branch(server: GitServer, project: Path) -> None:
    """The second finds the branch with this content; neither main nor the checkout changes."""
    before, head = there(server), git(project, "rev-parse", "HEAD")
    first = publish(project, rendered(image="a:2"), "R", "main", pull_request=True, credentials=GOOD)
    second = publish(project, rendered(image="a:2"), "R", "main", pull_request=True, credentials=GOOD)
    assert second == Published((), None, first.branch, None, existed=True)
    assert there(server, first.branch) == first.commit
    assert (there(server), git(project, "rev-parse", "HEAD")) == (before, head)
    assert git(project, "status", "--porcelain") == ""
    third = publish(project, rendered(image="a:3"), "R", "main", pull_request=True, credentials=GOOD)
    assert third.branch != first.branch


def test_two_pull_requests_with_the_same_content_at_once(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    other = clone(server, tmp_path / "other")
    server.race(2)
    files = rendered(image="a:2")
    outcomes = together((project, files), (other, files), pull_request=True)
    assert all(isinstance(outcome, Published) for outcome in outcomes), outcomes
    assert len({outcome.branch for outcome in outcomes if isinstance(outcome, Published)}) == 1


def test_a_topic_branch_that_somebody_changed_is_a_clear_error(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    first = publish(project, rendered(image="a:2"), "R", "main", pull_request=True, credentials=GOOD)
    other = clone(server, tmp_path / "other", "--branch", first.branch)
    (other / "rendered/local/templates/a.yaml").write_text("edited")
    git(other, "commit", "--quiet", "-am", "Edit")
    git(other, "push", "--quiet", str(server.root / "gitops.git"), f"HEAD:{first.branch}")
    with pytest.raises(
        RepositoryError, match=r"somebody pushed to it.*git push origin --delete corespec/render-"
    ):
        publish(project, rendered(image="a:2"), "R", "main", pull_request=True, credentials=GOOD)


def test_a_pull_request_needs_a_branch_to_go_to(server: GitServer, tmp_path: Path) -> None:
    """A topic branch in an empty repository would become its default branch."""
    folder = start(tmp_path / "project", server.url())
    with pytest.raises(RepositoryError, match=r"no branch main .*git push -u origin main"):
        publish(folder, rendered(), "R", "main", pull_request=True, credentials=GOOD)
    assert server.pushes == 0


def test_a_pull_request_from_a_detached_shallow_checkout(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    """As CI checks out: one commit deep, no branch."""
    ci = clone(server, tmp_path / "ci", "--depth=1")
    git(ci, "checkout", "--quiet", "--detach")
    published = publish(ci, rendered(image="a:2"), "R", "main", pull_request=True, credentials=GOOD)
    assert there(server, f"{published.branch}^") == git(project, "rev-parse", "HEAD")
    with pytest.raises(RepositoryError, match="no branch is checked out"):
        publish(ci, rendered(image="a:2"), "R", "main", credentials=GOOD)


def test_what_a_shallow_clone_lacks_is_fetched_for_a_diff(
    server: GitServer, project: Path, tmp_path: Path
) -> None:
    """A branch, a tag and a commit are fetched without history; for a parent the error says what to do."""
    first = git(project, "rev-parse", "HEAD")
    git(project, "tag", "v1")
    git(project, "-c", f"http.extraHeader=Authorization: Basic {BASIC}", "push", "--quiet", "origin", "v1")
    git(project, "switch", "--quiet", "-c", "feature")
    publish(project, rendered(image="a:2"), "R", "feature", credentials=GOOD)
    for ref in ("origin/main", "main", "refs/heads/main", first, "v1"):
        ci = clone(server, tmp_path / f"ci-{ref.replace('/', '-')}", "--depth=1", "--branch=feature")
        repository = GitRepository.open(ci, GOOD)
        assert repository.resolve(ref) == first
        assert repository.files(first, "rendered") == rendered()
        assert git(ci, "rev-parse", "--is-shallow-repository") == "true"
    with pytest.raises(RepositoryError, match=r"no revision `HEAD~2`.*git fetch --unshallow"):
        repository.resolve("HEAD~2")
    with pytest.raises(RepositoryError, match="no revision `nowhere`"):
        repository.resolve("nowhere")


@pytest.mark.parametrize(
    "name", ["--upload-pack=touch pwned.git", "a b $(touch pwned).git", "zähler;touch pwned.git", "x'\"`.git"]
)
def test_a_repository_with_a_hostile_name(server: GitServer, tmp_path: Path, name: str) -> None:
    """The name is a part of the URL and nothing else: no option, no shell."""
    server.create(name)
    folder = start(tmp_path / name, server.url(quote(name)))
    published = publish(folder, rendered(), "R", "main", credentials=GOOD)
    assert there(server, name=name) == published.commit
    proposed = publish(folder, rendered(image="b"), "R", "main", pull_request=True, credentials=GOOD)
    assert there(server, proposed.branch, name) == proposed.commit
    assert not list(tmp_path.rglob("pwned"))


def test_the_command_line_takes_the_token_from_a_reference(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git.password: env:…`, directly and as a pull request; a wrong one ends with 2 and is in no output."""
    world = World(tmp_path, tmp_path / "local").build()
    world.edit(world.environment, "  publish: direct", "  username: env:GIT_USER\n  password: env:GIT_TOKEN")
    git(world.project, "commit", "--quiet", "-am", "Name the credentials")
    server.create("acme/gitops.git")
    git(world.project, "remote", "set-url", "origin", server.url("acme/gitops.git"))
    monkeypatch.setenv("GIT_USER", USER)
    monkeypatch.setenv("GIT_TOKEN", "wr0ng-t0ken")
    for options in ((), ("--pull-request",), ("--verbose",), ("-o", "json")):
        refused = world.run("publish", *options)
        assert refused.code == 2
        assert "credentials do not work" in refused.err
        assert "wr0ng-t0ken" not in refused.out + refused.err
    monkeypatch.setenv("GIT_TOKEN", TOKEN)
    assert world.run("publish").code == 0
    world.edit(world.scenario, "tiny:0.0.1", "tiny:0.0.2")
    git(world.project, "commit", "--quiet", "-am", "Take another image")
    proposed = world.run("publish", "--pull-request", "-o", "json", "--forge", "gitlab")
    assert proposed.code == 0
    pushed = there(server, proposed.document["branch"], "acme/gitops.git")
    assert pushed == proposed.document["commit"]
    page = f"{server.origin}/acme/gitops/-/merge_requests/new?"
    assert str(proposed.document["compare_url"]).startswith(page)
