"""What is remembered of the lint changes the speed and nothing else: cold, warm and damaged render alike."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator import lint
from generator.errors import InputError
from generator.lintcache import CACHE, LintCache
from generator.project import load_project, project_catalog
from generator.render import render
from generator.spec.resolve import Resolved, resolve
from tests.properties.test_rendercache import build

TEXT = "catalogs/one/tiny-train/template.yaml.j2"
Outcome = dict[str, bytes] | list[str]


def resolved(root: Path) -> Resolved:
    workflows = project_catalog(root)
    return resolve(load_project(root, workflows), "dev", workflows)


def outcome(root: Path, cache: LintCache | None) -> Outcome:
    """What a plan goes on with: the rendered files, or the findings with which it ends."""
    try:
        return render(resolved(root), passed=cache)
    except InputError as error:
        return [str(finding) for finding in error.diagnostics]


def warm(root: Path) -> Outcome:
    """As `reconciler.workbench.equip` does it."""
    cache = LintCache(root, "dev")
    found = outcome(root, cache)
    cache.save()
    return found


def _toggle(path: str, old: str, new: str) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        text = (root / path).read_text()
        (root / path).write_text(text.replace(new, old) if new in text else text.replace(old, new))

    return apply


def _rewrite(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change whatever the cache holds."""

    def apply(root: Path) -> None:
        for entry in (root / CACHE).glob("*.json"):
            entry.write_bytes(change(entry.read_bytes()))

    return apply


def _forge(content: bytes) -> bytes:
    """Everything has passed, with a checksum that is right, by a seal of another machine."""
    try:
        document = json.loads(content.partition(b"\n")[2])
    except ValueError:  # an earlier action has spoilt it
        document = {}
    body = json.dumps({**document, "seal": [1, 2, 3]}).encode()
    return sha256(body).hexdigest().encode() + b"\n" + body


ACTIONS: dict[str, Callable[[Path], object]] = {
    "another image": _toggle("specs/a.yaml", "tiny:1", "tiny:2"),
    "a template that fails": _toggle(TEXT, "entrypoint: main", "entrypoint: nobody"),
    "another template": _toggle(TEXT, "name: main", "name: chief"),
    "half of the cache": _rewrite(lambda content: content[: len(content) // 2]),
    "an empty cache": _rewrite(lambda _: b""),
    "another word in the cache": _rewrite(lambda content: content.replace(b"passed", b"failed")),
    "noise in the cache": _rewrite(lambda content: content[:70] + os.urandom(40) + content[70:]),
    "a forged cache": _rewrite(_forge),
    "no cache": lambda root: shutil.rmtree(root / ".corespec", ignore_errors=True),
}


@settings(max_examples=25)
@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=6))
def test_what_is_remembered_never_changes_what_a_plan_sees(actions: list[str]) -> None:
    """After any edits of specs, templates and the cache: the bytes, or the findings, of a run without it."""
    with TemporaryDirectory() as folder:
        root = build(Path(folder))
        for action in [None, *actions]:
            if action:
                ACTIONS[action](root)
            cold = outcome(root, None)
            assert warm(root) == cold
            assert warm(root) == cold


@pytest.fixture
def linted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all templates that were linted."""
    seen: list[str] = []
    real = lint.lint

    def counting(document: object, path: str, *rest: object, **options: bool) -> object:
        seen.append(path)
        return real(document, path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(lint, "lint", counting)
    return seen


def test_a_template_is_linted_once(tmp_path: Path, linted: list[str]) -> None:
    """And again when it is another one; what failed is linted every time."""
    root = build(tmp_path)
    for _ in range(3):
        warm(root)
    assert len(linted) == 1
    ACTIONS["another image"](root)
    warm(root)
    warm(root)
    assert len(linted) == 2
    ACTIONS["a template that fails"](root)
    assert isinstance(warm(root), list)
    assert isinstance(warm(root), list)
    assert len(linted) == 4


@pytest.mark.parametrize("damage", ["half of the cache", "an empty cache", "noise in the cache"])
def test_a_damaged_cache_is_ignored_and_made_anew(tmp_path: Path, linted: list[str], damage: str) -> None:
    """It costs one lint."""
    root = build(tmp_path)
    warm(root)
    ACTIONS[damage](root)
    for _ in range(2):
        warm(root)
    assert len(linted) == 2


def test_what_another_code_has_passed_is_linted_again(
    tmp_path: Path, linted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of this program, of its catalogue or of a library may judge otherwise."""
    root = build(tmp_path)
    warm(root)
    monkeypatch.setattr("generator.lintcache.code_digest", lambda: "another")
    warm(root)
    assert len(linted) == 2


def test_a_cache_that_came_in_with_a_copy_is_not_believed(tmp_path: Path, linted: list[str]) -> None:
    """Nobody can commit what has passed."""
    root = build(tmp_path / "own")
    warm(root)
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    warm(tmp_path / "copy")
    assert len(linted) == 2


def test_values_of_different_types_are_kept_apart(tmp_path: Path) -> None:
    """1, "1", 1.0 and true make different templates, as keys too."""
    cache = LintCache(tmp_path, "dev")
    cache.add({"replicas": 1, 1: "x"})
    cache.save()
    again = LintCache(tmp_path, "dev")
    assert {"replicas": 1, 1: "x"} in again
    for other in ({"replicas": "1", 1: "x"}, {"replicas": True, 1: "x"}, {"replicas": 1, "1": "x"}):
        assert other not in again  # type: ignore[comparison-overlap]
