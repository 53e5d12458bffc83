"""The cache of `render` changes the speed and nothing else: every answer is that of a run without it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corespec.__main__ import main
from generator import rendercache
from generator.renderinputs import inputs_digest

CATALOG = Path(__file__).resolve().parents[1] / "end_to_end" / "catalog"
SCENARIO = """\
apiVersion: corespec/v1
kind: Scenario
metadata: {{name: scenario-{name}}}
executables:
  {name}-exec: {{workflow: tiny-train, image: "docker.io/acme/tiny:{tag}", resourcePlan: starter}}
"""
ENVIRONMENT = """\
apiVersion: corespec/v1
kind: Environment
metadata: {{name: {name}}}
aiCore: {{connection: local}}
objectStores: {{default: {{type: directory, path: objects}}}}
git: {{url: ../gitops.git, repository: gitops, application: tiny}}
catalog: [catalog]
"""
LOCK = """\
apiVersion: corespec/v1
kind: ImageLock
images: {{"docker.io/acme/tiny:1": "sha256:{digit}"}}
"""


def build(root: Path) -> Path:
    """A project with one scenario, one environment and a catalogue of its own, behind a link."""
    (root / "specs" / "environments").mkdir(parents=True)
    (root / "specs" / "a.yaml").write_text(SCENARIO.format(name="aaa", tag="1"))
    (root / "specs" / "environments" / "dev.yaml").write_text(ENVIRONMENT.format(name="dev"))
    for name in ("one", "two"):
        shutil.copytree(CATALOG, root / "catalogs" / name)
    _edit("catalogs/two/tiny-train/template.yaml.j2", "main", "start")(root)
    (root / "catalog").symlink_to("catalogs/one")
    return root


def run(root: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code and output of `corespec render`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["render", "-C", str(root), *arguments])
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def no_cache() -> Iterator[None]:
    """Runs neither ask the cache nor write it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(rendercache, "lookup", lambda *_: None)
    patch.setattr(rendercache, "remember", lambda *_, **__: None)
    try:
        yield
    finally:
        patch.undo()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is rendered and remembered."""
    root = build(tmp_path / "project")
    assert run(root)[0] == 0
    return root


@pytest.fixture
def is_warm(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Whether `corespec render --check` answers without reading any spec."""

    def ask(root: Path, *arguments: str) -> bool:
        with monkeypatch.context() as patch:
            patch.setattr("corespec.project.load_all", _refuse)
            try:
                return run(root, "--check", *arguments)[0] == 0
            except _ReadError:
                return False

    return ask


class _ReadError(Exception):
    """The long way was taken."""


def _refuse(*_: object) -> None:
    raise _ReadError


def _edit(path: str, old: str, new: str) -> Callable[[Path], None]:
    """An edit of a file, undone by doing it again."""

    def apply(root: Path) -> None:
        target = root / path
        if target.is_file():
            text = target.read_text()
            target.write_text(text.replace(old, new) if old in text else text.replace(new, old))

    return apply


def _toggle(path: str, content: str) -> Callable[[Path], None]:
    """Write a file, or remove it."""

    def apply(root: Path) -> None:
        target = root / path
        if target.exists():
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)

    return apply


def _damage(root: Path) -> None:
    """Cut every entry of the cache in half."""
    for entry in (root / rendercache.CACHE).glob("*.json"):
        content = entry.read_bytes()
        entry.write_bytes(content[: len(content) // 2])


def _swap(root: Path) -> None:
    """Let every entry bear the name of another environment."""
    folder = root / rendercache.CACHE
    for entry in list(folder.glob("*.json")):
        shutil.copy(entry, folder / ("prod.json" if entry.name == "dev.json" else "dev.json"))


def _lead_elsewhere(root: Path) -> None:
    """Let the catalogue's link lead to another folder."""
    link = root / "catalog"
    target = "catalogs/two" if link.readlink().name == "one" else "catalogs/one"
    link.unlink()
    link.symlink_to(target)


TEMPLATE = "rendered/dev/templates/aaa-exec.yaml"
ACTIONS: dict[str, Callable[[Path], object]] = {
    "render": run,
    "render one": lambda root: run(root, "-e", "dev"),
    "another image": _edit("specs/a.yaml", "tiny:1", "tiny:2"),
    "a comment": _edit("specs/a.yaml", "kind: Scenario\n", "kind: Scenario  # mine\n"),
    "a mistake": _edit("specs/a.yaml", "workflow: tiny-train", "workflow: tiny-trian"),
    "another scenario": _toggle("specs/b.yml", SCENARIO.format(name="bbb", tag="1")),
    "a hidden file": _toggle("specs/.c.yaml", "x"),
    "another environment": _toggle("specs/environments/prod.yaml", ENVIRONMENT.format(name="prod")),
    "no environment": _toggle("specs/environments/dev.yaml", ENVIRONMENT.format(name="dev")),
    "a renamed environment": _edit("specs/environments/dev.yaml", "name: dev", "name: dev-2"),
    "a lock": _toggle("images.lock.yaml", LOCK.format(digit="0" * 64)),
    "another lock": _edit("images.lock.yaml", "0" * 64, "1" * 64),
    "a catalogue text": _edit("catalog/tiny-train/template.yaml.j2", "main", "entry"),
    "a broken catalogue": _edit("catalog/tiny-train/workflow.yaml", "Workflow", "Worfklow"),
    "another catalogue": _lead_elsewhere,
    "an empty workflow": lambda root: (root / "catalog" / "empty").mkdir(exist_ok=True),
    "an edited template": _edit(TEMPLATE, "tiny-train", "tiny-brain"),
    "no template": lambda root: (root / TEMPLATE).unlink(missing_ok=True),
    "no manifest": lambda root: (root / "rendered/dev/manifest.json").unlink(missing_ok=True),
    "a file of one's own": _toggle("rendered/dev/templates/own.yaml", "x"),
    "touched": lambda root: (
        os.utime(root / "specs/a.yaml", (1, 1)) if (root / "specs/a.yaml").exists() else 0
    ),
    "damaged cache": _damage,
    "swapped cache": _swap,
    "no cache": lambda root: shutil.rmtree(root / ".corespec", ignore_errors=True),
}


@settings(max_examples=20)
@given(st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=6))
def test_every_answer_is_that_of_a_run_without_the_cache(actions: list[str]) -> None:
    """After any edits of specs, locks, catalogue, `rendered/` and the cache itself: same code, same words."""
    with TemporaryDirectory() as folder:
        root = build(Path(folder))
        run(root)
        for action in [*actions, "touched"]:  # at last once more, from what the run before has kept
            ACTIONS[action](root)
            for arguments in (("--check",), ("--check", "-e", "dev"), ("--check", "-o", "json")):
                with no_cache():
                    cold = run(root, *arguments)
                assert run(root, *arguments) == cold


def test_an_unchanged_project_is_answered_from_the_cache(project: Path, is_warm: Callable[..., bool]) -> None:
    """For all environments and for one; writing has nothing to do either."""
    assert is_warm(project)
    assert is_warm(project, "-e", "dev")
    assert not is_warm(project, "-e", "unknown")
    assert run(project)[1].startswith("rendered/ is up to date")


def test_another_catalogue_on_the_command_line_is_another_question(
    tmp_path: Path, is_warm: Callable[..., bool]
) -> None:
    """What was remembered with `--catalog` says nothing about a run without it."""
    root = build(tmp_path / "project")
    shutil.move(root / "catalogs" / "one", tmp_path / "elsewhere")
    place = root / "specs/environments/dev.yaml"
    place.write_text(place.read_text().replace("catalog: [catalog]\n", ""))
    arguments = ("--catalog", str(tmp_path / "elsewhere"))
    assert run(root, *arguments)[0] == 0
    assert is_warm(root, *arguments)
    assert run(root, "--check")[0] == 2
    (tmp_path / "elsewhere/tiny-train/Dockerfile.j2").write_text("FROM scratch\n")
    assert not is_warm(root, *arguments)


def test_a_catalogue_of_the_variable_counts(
    project: Path, is_warm: Callable[..., bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CORESPEC_CATALOG is part of what goes in, even before the folder is looked at."""
    monkeypatch.setenv("CORESPEC_CATALOG", str(tmp_path / "none"))
    assert not is_warm(project)
    assert run(project, "--check")[0] == 2


def test_a_cache_that_came_with_a_commit_is_not_believed(
    project: Path, tmp_path: Path, is_warm: Callable[..., bool]
) -> None:
    """An entry that is right in every digest lies in a copy of the project, and was not written there."""
    clone = tmp_path / "clone"
    shutil.copytree(project, clone)
    assert is_warm(project)
    assert not is_warm(clone)


def test_the_cache_is_not_committed(project: Path) -> None:
    """It ignores itself, whatever the project's own `.gitignore` says."""
    assert (project / rendercache.CACHE / ".gitignore").read_text() == "*\n"


def test_a_folder_that_cannot_be_written_is_slower_and_no_error(project: Path) -> None:
    """A file stands where the cache's folder belongs."""
    shutil.rmtree(project / ".corespec")
    (project / ".corespec").write_text("mine")
    assert run(project, "--check")[0] == 0
    assert (project / ".corespec").read_text() == "mine"


def test_a_cache_that_is_a_link_is_neither_believed_nor_written(project: Path, tmp_path: Path) -> None:
    """A project from elsewhere cannot make us write into another folder."""
    shutil.rmtree(project / ".corespec")
    (tmp_path / "victim").mkdir()
    (project / ".corespec").symlink_to(tmp_path / "victim")
    assert run(project, "--check")[0] == 0
    assert list((tmp_path / "victim").iterdir()) == []


def test_inputs_that_changed_while_they_were_read_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_warm: Callable[..., bool]
) -> None:
    """Saved in an editor between reading and remembering: the next run reads again."""
    from corespec import project as module

    root, load_all = build(tmp_path / "project"), module.load_all

    def slow(*arguments: object) -> object:
        places = load_all(*arguments)  # type: ignore[arg-type]
        _edit("specs/a.yaml", "tiny:1", "tiny:2")(root)
        return places

    with monkeypatch.context() as patch:
        patch.setattr(module, "load_all", slow)
        assert run(root)[0] == 0
    assert not is_warm(root)
    assert run(root, "--check")[0] == 3


def test_writers_at_the_same_time_leave_a_whole_entry(project: Path, is_warm: Callable[..., bool]) -> None:
    """Entries are put in place at once: after any order of writers the cache is whole."""
    inputs = inputs_digest(project, [project / "catalog"])
    files = {
        path.relative_to(project).as_posix(): path.read_bytes() for path in project.glob("rendered/**/*.*")
    }

    def write() -> None:
        for _ in range(20):
            rendercache.remember(
                project,
                {"dev": files},
                environments=["dev"],
                inputs=inputs,
                extra=[],
                catalogs=[project / "catalog"],
            )

    writers = [Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    checksum, _, body = (project / rendercache.CACHE / "dev.json").read_bytes().partition(b"\n")
    assert json.loads(body)["environment"] == "dev"
    assert len(checksum) == 64
    assert list((project / rendercache.CACHE).glob("*.part")) == []


def test_a_warm_check_imports_neither_hera_nor_jinja_nor_yaml_nor_git(project: Path) -> None:
    """That is where the time of a start goes. (pydantic comes with typer.)"""
    code = (
        "import sys; from corespec.__main__ import main; "
        f"code = main(['render', '--check', '-C', {str(project)!r}]); "
        "loaded = {name.partition('.')[0] for name in sys.modules}; "
        "print(code, sorted(loaded & {'hera', 'jinja2', 'yaml', 'git', 'boto3', 'rich'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[2],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "0 []"
