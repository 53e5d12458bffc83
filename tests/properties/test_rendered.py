"""`rendered/` under all that can happen to it: crashes, other environments, people, environments that go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.errors import GeneratorError
from generator.rendered import is_fresh, rendered_drift, write_rendered
from generator.tree import Tree
from tests.properties.specs import ENVIRONMENTS

Files = dict[str, bytes]

contents = st.sampled_from([b"", b"a\n", b"b\n", b"a\r\n", b"\xff\x00", b"no end"])
names = st.sampled_from(
    ["templates/a.yaml", "templates/b.yaml", "images/a/Dockerfile", "images/a-b/Dockerfile"]
)
own_names = st.sampled_from(["templates/own.yaml", "images/a/own", "notes/own.txt", "manifest.json.own"])


def bundle(environment: str, content: dict[str, bytes]) -> Files:
    """Everything rendered for an environment, with its manifest."""
    files = {f"rendered/{environment}/{name}": item for name, item in content.items()}
    manifest = {
        "format_version": 1,
        "tool": {"name": "corespec", "version": "0"},
        "environment": environment,
        "files": {path: item.hex() for path, item in files.items()},
    }
    return {**files, f"rendered/{environment}/manifest.json": json.dumps(manifest).encode()}


bundles = st.dictionaries(names, contents, max_size=4)
places = st.dictionaries(st.sampled_from(ENVIRONMENTS), bundles, min_size=1, max_size=3)
foreign = st.dictionaries(
    st.builds("rendered/{}/{}".format, st.sampled_from(ENVIRONMENTS), own_names), contents, max_size=3
)


def together(wanted: dict[str, dict[str, bytes]]) -> Files:
    """The files of several environments."""
    return {path: item for name, content in wanted.items() for path, item in bundle(name, content).items()}


def on_disk(root: Path) -> Files:
    """Every file below a folder."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def put(root: Path, files: Files) -> None:
    """Write files as a person would."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def digests(files: Files) -> dict[str, str]:
    """What a cache would know of them."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


class Crash(BaseException):
    """The machine stops here; nobody catches it."""


@contextmanager
def crash_after(operations: int) -> Iterator[None]:
    """Let so many files be written or removed, and stop before the next."""
    left = operations
    patch = pytest.MonkeyPatch()

    def count(original: Any) -> Any:
        def counted(*arguments: Any) -> None:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            original(*arguments)

        return counted

    patch.setattr(Tree, "write", count(Tree.write))
    patch.setattr(Tree, "remove", count(Tree.remove))
    try:
        yield
    except Crash:
        pass
    finally:
        patch.undo()


@settings(max_examples=50)
@given(places, places, foreign)
def test_what_was_written_is_fresh_and_nothing_else_changed(
    first: dict[str, dict[str, bytes]], second: dict[str, dict[str, bytes]], own: Files
) -> None:
    """Written, then written again with other files: exactly those, and what people put beside them."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, own)
        for wanted in (first, second):
            files = together(wanted)
            write_rendered(root, files, wanted)
            assert on_disk(root) == {**own, **files}
            assert rendered_drift(root, files, wanted) == ""
            assert is_fresh(root, digests(files), wanted)
            assert write_rendered(root, files, wanted) == []


@settings(max_examples=60)
@given(places, places, places, foreign, st.lists(st.integers(0, 8), max_size=3))
def test_a_crash_anywhere_is_healed_by_the_next_run_whatever_it_writes(
    first: dict[str, dict[str, bytes]],
    second: dict[str, dict[str, bytes]],
    third: dict[str, dict[str, bytes]],
    own: Files,
    crashes: list[int],
) -> None:
    """Runs die after any number of files; the last one, for other specs, leaves what it would have anyway."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, own)
        write_rendered(root, together(first), first)
        for at, operations in enumerate(crashes):
            wanted = (second, third)[at % 2]
            with crash_after(operations):
                write_rendered(root, together(wanted), wanted)
        write_rendered(root, together(third), third)
        assert on_disk(root) == {**own, **together(third)}


@settings(max_examples=50)
@given(places, bundles, st.sampled_from(ENVIRONMENTS), foreign)
def test_one_environment_never_touches_another(
    before: dict[str, dict[str, bytes]], content: dict[str, bytes], name: str, own: Files
) -> None:
    """Rendering for `dev` leaves `dev-2`, `d` and everybody's own files as they are, byte for byte."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, own)
        write_rendered(root, together(before))
        others = {
            path: item for path, item in on_disk(root).items() if not path.startswith(f"rendered/{name}/")
        }
        changed = write_rendered(root, bundle(name, content))
        assert all(path.startswith(f"rendered/{name}/") for path in changed)
        after = on_disk(root)
        assert {path: after[path] for path in others} == others
        assert set(after) == {*others, *own, *bundle(name, content)}


@settings(max_examples=50)
@given(places, st.sets(st.sampled_from(ENVIRONMENTS)), foreign)
def test_an_environment_that_is_gone_is_stale_and_then_removed(
    before: dict[str, dict[str, bytes]], gone: set[str], own: Files
) -> None:
    """`--check` says so first; people's files stay, and so does a folder that we cannot prove to be ours."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        put(root, own)
        write_rendered(root, together(before))
        left = {name: content for name, content in before.items() if name not in gone}
        files = together(left)
        is_stale = left != before
        assert bool(rendered_drift(root, files, left)) == is_stale
        assert is_fresh(root, digests(files), left) != is_stale
        assert rendered_drift(root, files) == ""  # one environment alone says nothing about others
        write_rendered(root, files, left)
        assert on_disk(root) == {**own, **files}


@pytest.mark.parametrize(
    "manifest",
    [
        b"{",
        b'{"files": {"rendered/old/templates/a.yaml": ""}}',
        b'{"files": {"rendered/old/templates/a.yaml": ""}, "tool": {"name": "my"}, "environment": "old"}',
        b'{"files": {"rendered/old/templates/a.yaml": ""}, "tool": {"name": "corespec"}, "environment": "b"}',
        b'{"files": ["rendered/old/templates/a.yaml"], "tool": {"name": "corespec"}, "environment": "old"}',
    ],
)
def test_a_folder_that_we_cannot_prove_to_be_ours_stays(tmp_path: Path, manifest: bytes) -> None:
    """No manifest of ours for that very environment, no removal."""
    put(tmp_path, {"rendered/old/manifest.json": manifest, "rendered/old/templates/a.yaml": b"x"})
    before = on_disk(tmp_path)
    assert rendered_drift(tmp_path, {}, ["dev"]) == ""
    assert write_rendered(tmp_path, {}, ["dev"]) == []
    assert on_disk(tmp_path) == before


def test_a_folder_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """An environment's folder that is a link to another project is neither read as ours nor emptied."""
    project, other = tmp_path / "project", tmp_path / "other"
    write_rendered(other, bundle("old", {"templates/a.yaml": b"x"}))
    (project / "rendered").mkdir(parents=True)
    (project / "rendered" / "old").symlink_to(other / "rendered" / "old")
    with pytest.raises(GeneratorError, match="leads out of the project folder"):
        write_rendered(project, {}, ["dev"])
    assert on_disk(other) == bundle("old", {"templates/a.yaml": b"x"})
