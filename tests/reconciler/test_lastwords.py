"""`protect` after its block is gone: what Git's history says, and what it says when it is not all there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from reconciler.commits import specs_at
from reconciler.gitops import Checkout
from reconciler.lastwords import DEPTH, last_words
from reconciler.prune import Thing, Word
from reconciler.workbench import read_specs
from tests.reconciler.project import CATALOG

SPEC = """\
apiVersion: corespec/v1
kind: Scenario
metadata: {{name: stub, title: Stub}}
executables:
  trainer: {{workflow: stub-train, image: "docker.io/acme/stub:1", resourcePlan: starter}}
  server: {{workflow: model-serving, image: "docker.io/acme/server:1", resourcePlan: infer.s}}
datasets:
  words: {{source: data, path: words}}
  models: {{source: data, path: models, kind: model}}
configurations:
  base: {{executable: trainer, inputs: {{datain: words}}}}
  sweep: {{executable: trainer, inputs: {{datain: words}}, matrix: {{rate: [0.1, 0.2]}}}}
executions:
  other: {{configuration: sweep}}
{blocks}"""
PLACE = """\
apiVersion: corespec/v1
kind: Environment
metadata: {{name: {name}}}
aiCore: {{connection: local}}
resourceGroup: {group}
objectStores:
  default: {{type: directory, path: .corespec/objects}}
git: {{url: ../origin.git, repository: g, application: app}}
"""
BLOCK = "  train: {configuration: base}\n"
PROTECTED = "  train: {configuration: base, protect: true}\n"
SERVER = (
    "deployments:\n  reader: {executable: server, inputs: {trainedmodels: {dataset: models}}, protect: %s}\n"
)
TRAIN = Thing("execution", "stub", "trainer", "base")
READER = Thing("deployment", "stub", "server", "reader")


@dataclass(frozen=True)
class Repository:
    """A project whose specs change, commit after commit."""

    root: Path

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, *blocks: str) -> None:
        (self.root / "specs" / "stub.yaml").write_text(SPEC.format(blocks="".join(blocks)))

    def commit(self, *blocks: str) -> str:
        self.write(*blocks)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")

    def words(self, *things: Thing, environment: str = "local") -> list[Word]:
        return words_in(self.root, *things, environment=environment)


def words_in(root: Path, *things: Thing, environment: str = "local") -> list[Word]:
    """What is known in a clone."""
    now = read_specs(root, environment, (CATALOG,))
    git = Checkout(root, now.environment)
    specs = partial(specs_at, git, root=root, environment=environment, catalog=(CATALOG,))
    found = last_words(things, now, git, specs)
    return [found[thing] for thing in things]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "project")
    (made.root / "specs" / "environments").mkdir(parents=True)
    (made.root / "specs" / "environments" / "local.yaml").write_text(
        PLACE.format(name="local", group="default")
    )
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(made.root)], check=True)
    return made


@pytest.mark.parametrize(
    ("history", "word"),
    [
        ([BLOCK, ""], Word.FREE),
        ([PROTECTED, ""], Word.PROTECTED),
        ([PROTECTED, BLOCK, ""], Word.FREE),
        ([BLOCK, PROTECTED, "", ""], Word.PROTECTED),
        ([PROTECTED, "", BLOCK, ""], Word.FREE),
        (["", ""], Word.UNSHOWN),
    ],
)
def test_the_block_as_it_last_was_decides(repository: Repository, history: list[str], word: Word) -> None:
    """Whoever wants a protected thing gone takes the protection away in one commit, the block in another."""
    for blocks in history:
        repository.commit(blocks)
    assert repository.words(TRAIN) == [word]


def test_what_nobody_has_committed_counts_where_it_protects(repository: Repository) -> None:
    """A block that the working tree lacks stands in the last commit; one that it holds is the last word."""
    repository.commit(PROTECTED)
    repository.write("")
    assert repository.words(TRAIN) == [Word.PROTECTED]
    repository.commit(BLOCK)
    repository.write(PROTECTED)
    assert repository.words(TRAIN) == [Word.PROTECTED]


def test_servers_and_children_of_sweeps(repository: Repository) -> None:
    """A deployment by its name, a child of a sweep by its own."""
    child = Thing("execution", "stub", "trainer", "sweep.rate-0.1")
    repository.commit(SERVER % "true")
    repository.commit(SERVER % "false", "")
    repository.commit("")
    assert repository.words(READER, child) == [Word.FREE, Word.FREE]
    assert repository.words(Thing("execution", "stub", "trainer", "sweep.rate-0.3")) == [Word.UNSHOWN]


def test_another_executable_of_the_same_name_is_another_thing(repository: Repository) -> None:
    """Somebody else's run in our scenario is not taken for ours."""
    repository.commit(BLOCK)
    repository.commit("")
    assert repository.words(Thing("execution", "stub", "theirs", "base")) == [Word.UNSHOWN]


def test_a_shallow_clone_shows_nothing_that_it_does_not_hold(repository: Repository, tmp_path: Path) -> None:
    """What it decides, the whole history decides too; the rest stays."""
    repository.commit(BLOCK)
    repository.commit("")
    repository.commit("", "# more\n")
    shallow = {}
    for depth in (1, 2, 3):
        clone = tmp_path / f"clone-{depth}"
        source = f"file://{repository.root}"
        subprocess.run(["git", "clone", "--quiet", "--depth", str(depth), source, str(clone)], check=True)
        shallow[depth] = words_in(clone, TRAIN)
    assert shallow == {1: [Word.UNSHOWN], 2: [Word.UNSHOWN], 3: [Word.FREE]}


def test_a_history_that_was_rewritten_shows_nothing(repository: Repository) -> None:
    """All of it as one new commit without the block: kept."""
    repository.commit(BLOCK)
    repository.commit("")
    repository.git("checkout", "--quiet", "--orphan", "anew")
    repository.git("commit", "--quiet", "--message", "Anew")
    assert repository.words(TRAIN) == [Word.UNSHOWN]


def test_a_branch_that_protected_meanwhile_outweighs_an_older_merge(repository: Repository) -> None:
    """The block went on a branch while the main line began to protect it: the main line's word counts."""
    repository.commit(BLOCK)
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("")
    repository.git("checkout", "--quiet", "main")
    repository.commit(PROTECTED)
    repository.git("merge", "--quiet", "--strategy=ours", "--no-edit", "side")
    repository.commit("")
    assert repository.words(TRAIN) == [Word.PROTECTED]


def test_the_branch_as_pushed_and_the_checkout_are_both_asked(repository: Repository, tmp_path: Path) -> None:
    """Protected in one of them is protected."""
    repository.commit(BLOCK)
    clone = Repository(tmp_path / "clone")
    subprocess.run(["git", "clone", "--quiet", str(repository.root), str(clone.root)], check=True)
    repository.commit(PROTECTED)
    clone.commit("")
    assert clone.words(TRAIN) == [Word.FREE]
    clone.git("fetch", "--quiet")
    assert clone.words(TRAIN) == [Word.PROTECTED]


@pytest.mark.parametrize(
    ("broken", "word"),
    [
        ("  train: {configuration: base, protect: true, tyop: 1}\n", Word.UNSHOWN),
        ("  train: {configuration: base, protect: [\n", Word.UNSHOWN),
        ("  train: {configuration: base, tyop: 1}\n", Word.FREE),
    ],
)
def test_a_commit_that_cannot_be_read_may_have_protected(
    repository: Repository, broken: str, word: Word
) -> None:
    """Specs that were never valid asked for nothing, but a protection in them is heard."""
    repository.commit(BLOCK)
    repository.commit(broken)
    repository.commit("")
    assert repository.words(TRAIN) == [word]


def test_an_environment_has_only_its_own_history(repository: Repository) -> None:
    """What another environment wanted is not ours to take away."""
    repository.commit(BLOCK)
    repository.commit("")
    place = repository.root / "specs" / "environments" / "new.yaml"
    place.write_text(PLACE.format(name="new", group="other"))
    repository.commit("", "# a new environment\n")
    assert repository.words(TRAIN, environment="new") == [Word.UNSHOWN]


@pytest.mark.parametrize("behind", [1, DEPTH])
def test_as_many_revisions_are_read_as_are_needed_and_no_more_than_the_limit(
    behind: int, repository: Repository
) -> None:
    """Beyond the limit nothing is shown."""
    repository.commit(BLOCK)
    repository.commit("")
    now = read_specs(repository.root, "local", (CATALOG,))
    git = Checkout(repository.root, now.environment)
    first, last = git.mainlines("specs", DEPTH)[0][::-1]
    read: list[str] = []

    class Long:
        def mainlines(self, path: str, limit: int) -> tuple[tuple[str, ...], ...]:
            return (((last,) * behind + (first,))[:limit],)

        def files(self, revision: str, folder: str) -> dict[str, bytes]:
            return git.files(revision, folder)

    def specs(revision: str) -> object:
        read.append(revision)
        return cached(revision)

    cached: Callable[[str], object] = partial(
        specs_at, git, root=repository.root, environment="local", catalog=(CATALOG,)
    )
    if behind > 1:
        known = {revision: cached(revision) for revision in (first, last)}
        cached = known.__getitem__
    found = last_words([TRAIN], now, Long(), specs)  # type: ignore[arg-type]
    assert found == {TRAIN: Word.FREE if behind == 1 else Word.UNSHOWN}
    assert len(read) == min(behind + 1, DEPTH)
