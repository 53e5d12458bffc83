"""The build context: what belongs in it and nothing else, the same bytes everywhere, no link followed."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.images.context import (
    context_files,
    rendered_recipe,
    trainer_files,
    wheel_files,
    write_context,
)
from generator.images.errors import ContextError
from tests.generator.images.fake import entries

FOLDER = "rendered/local/images/digits"
RECIPE = {f"{FOLDER}/Dockerfile": b"FROM x\n", f"{FOLDER}/requirements.txt": b"numpy==2.4.6\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with its recipe, and with everything that must stay out of an image."""
    for path, content in RECIPE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    for path in (
        ".git/config",
        ".env",
        "specs/secret.yaml",
        "data/a.jpg",
        f"{FOLDER}/.env",
        f"{FOLDER}/id_rsa",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("password")
    return tmp_path


def _packed(files: Mapping[str, bytes | Path]) -> bytes:
    buffer = io.BytesIO()
    write_context(files, buffer)
    return buffer.getvalue()


def test_the_context_holds_the_recipe_the_trainer_and_nothing_else(root: Path) -> None:
    """Neither `.git` nor a secret beside the specs or beside the Dockerfile itself gets in."""
    trainer = Path(__file__).parents[3] / "trainer"
    files = [*trainer.rglob("*.py"), *trainer.rglob("*.html")]
    code = {f"trainer/{path.relative_to(trainer).as_posix()}" for path in files}
    found = entries(_packed(context_files(root, RECIPE)))
    assert set(found) == {"Dockerfile", "requirements.txt", "wheels", *code}
    assert "trainer/__main__.py" in code
    assert not [name for name in found if "__pycache__" in name or "test" in Path(name).parts]


def test_the_trainer_needs_nothing_but_its_code() -> None:
    """And its page. A file of another kind that it reads at run time would be missing in every image."""
    trainer = Path(__file__).parents[3] / "trainer"
    files = {path for path in trainer.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path.name for path in files if path.suffix not in (".py", ".html")} <= {"py.typed"}


def test_entries_bear_no_trace_of_this_machine(root: Path) -> None:
    """Times, owners and modes are fixed, so that the engine's cache knows the same files again."""
    found = entries(_packed(context_files(root, RECIPE)))
    assert {(item.mtime, item.uid, item.gid, item.uname, item.gname) for item in found.values()} == {
        (0, 0, 0, "", "")
    }
    assert {item.mode for item in found.values() if item.isfile()} == {0o644}
    assert found["wheels"].isdir()


@given(
    st.dictionaries(st.text("abcdefghij/.é", min_size=1, max_size=150), st.binary(max_size=50)), st.randoms()
)
def test_the_order_of_the_files_makes_no_difference(files: dict[str, bytes], random: object) -> None:
    """Same content, same bytes; long and foreign names survive."""
    shuffled = list(files.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _packed(dict(shuffled)) == _packed(files)


def test_the_trainer_is_found_without_being_imported() -> None:
    """Looking for its code must not run it: the command line needs no torch."""
    code = (
        "import sys; from generator.images.context import trainer_files; "
        "print(len(trainer_files()), any(name.split('.')[0] == 'trainer' for name in sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    count, imported = said.split()
    assert int(count) == len(trainer_files()) > 10
    assert imported == "False"


def test_a_missing_trainer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image without code is never built."""
    monkeypatch.setattr("generator.images.context.find_spec", lambda name: None)
    with pytest.raises(ContextError, match="`trainer` is not installed"):
        trainer_files()


def test_a_stale_recipe_is_refused(root: Path) -> None:
    """What is built is what was reviewed: the remedy is to render."""
    (root / FOLDER / "Dockerfile").write_text("FROM y\n")
    with pytest.raises(ContextError, match=r"Dockerfile is stale(.|\n)*corespec render"):
        rendered_recipe(root, RECIPE)


def test_a_missing_recipe_is_refused(root: Path) -> None:
    """Nothing rendered yet is stale as well."""
    (root / FOLDER / "requirements.txt").unlink()
    with pytest.raises(ContextError, match=r"requirements\.txt is stale"):
        rendered_recipe(root, RECIPE)


@pytest.mark.parametrize("link", [f"{FOLDER}/Dockerfile", FOLDER, "rendered/local", "rendered"])
def test_a_link_in_rendered_is_refused_even_where_its_content_is_right(root: Path, link: str) -> None:
    """A link may name any file of the machine; tomorrow it holds something else."""
    moved = root / "elsewhere"
    (root / link).rename(moved)
    (root / link).symlink_to(moved)
    with pytest.raises(ContextError, match=f"^{link} is a link"):
        rendered_recipe(root, RECIPE)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_a_pipe_in_place_of_a_file_does_not_hang(root: Path) -> None:
    """Only plain files are read."""
    (root / FOLDER / "Dockerfile").unlink()
    os.mkfifo(root / FOLDER / "Dockerfile")
    with pytest.raises(ContextError, match="stale"):
        rendered_recipe(root, RECIPE)


def test_wheels_of_the_user_go_into_their_own_folder(root: Path, tmp_path: Path) -> None:
    """Only wheels are taken from the folder, whole."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl").write_bytes(b"w" * 10_000)
    (folder / "notes.txt").write_text("x")
    found = entries(_packed(context_files(root, RECIPE, folder)))
    wheels = {name: item.size for name, item in found.items() if name.startswith("wheels/")}
    assert wheels == {"wheels/torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl": 10_000}


def test_a_folder_without_wheels_is_a_mistake(tmp_path: Path) -> None:
    """A wrong folder is found before a build of minutes."""
    with pytest.raises(ContextError, match=r"holds no wheel"):
        wheel_files(tmp_path)
