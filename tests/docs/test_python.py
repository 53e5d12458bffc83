"""docs/python.md is the contract of the Python API: what it names exists as it says, and its examples run."""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from corespec.__main__ import VERBS
from tests.docs.page import Entry, entries, examples, page, table_rows

ENTRIES = entries()


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_a_name_of_the_page_is_there_and_exported(entry: Entry) -> None:
    """Exists, stands in `__all__` of its module, and says itself what it is."""
    found = entry.find()
    assert entry.exported in getattr(entry.owner(), "__all__", ()), f"{entry}: not in __all__"
    text = inspect.getdoc(found) or ""
    assert text, f"{entry}: no docstring"
    assert not text.startswith(f"{entry.name}("), f"{entry}: the docstring is the one that dataclasses make"


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.signature], ids=str)
def test_a_call_takes_what_the_page_says(entry: Entry) -> None:
    """Parameters, their order, their kind and their defaults."""
    assert _signature(entry.find()) == entry.signature


def _signature(function: Any) -> str:
    parameters = inspect.signature(function).parameters.values()
    bare = [item.replace(annotation=item.empty) for item in parameters if item.name != "self"]
    return re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", str(inspect.Signature(bare)))


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if not entry.signature], ids=str)
def test_a_class_holds_what_the_page_says(entry: Entry) -> None:
    """Fields, properties, methods and members of enumerations."""
    found = entry.find()
    fields = {name for kind in found.__mro__ for name in inspect.get_annotations(kind)}
    given = {name for kind in found.__mro__ for name in inspect.signature(kind.__init__).parameters}
    assert [name for name in entry.holds if not hasattr(found, name) and name not in fields | given] == []
    assert entry.holds, f"{entry}: says nothing"


def test_every_call_of_the_page_is_in_an_example() -> None:
    """Used, not only imported."""
    lines = (line for example in examples() for line in example.source.splitlines())
    sources = "\n".join(line for line in lines if not line.startswith(("from ", "import ")))
    calls = {entry.name.rpartition(".")[2] for entry in ENTRIES if entry.signature}
    assert [call for call in sorted(calls) if not re.search(rf"\b{call}\b", sources)] == []


def test_every_exception_that_a_call_raises_is_on_the_page() -> None:
    known = {entry.name for entry in ENTRIES if entry.name.endswith("Error")}
    assert {name for entry in ENTRIES for name in entry.raises} <= known


def test_every_verb_says_what_it_calls() -> None:
    """No verb does what Python cannot, unless the page says so; what is named is on the page."""
    rows = list(table_rows(page().split("## The verbs and what they call")[1].split("## ")[0]))
    told = {verb for row in rows for verb in re.findall(r"`([^`]+)`", row[0])}
    assert told == set(VERBS)
    known = {entry.name for entry in ENTRIES}
    for row in rows:
        assert {name for name in re.findall(r"`([^`]+)`", row[1]) if " " not in name} <= known


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder to work in; the AI Core that the page starts is stopped even when an example fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CORESPEC_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    yield tmp_path
    subprocess.run(["corespec", "local", "down", "-C", "meters"], check=False, capture_output=True)


@pytest.mark.skipif(find_spec("fastapi") is None, reason="needs localcore: pip install 'corespec[local]'")
@pytest.mark.training
@pytest.mark.timeout(240)
def test_the_examples_run_and_print_what_the_page_shows(workplace: Path) -> None:
    """From top to bottom in one namespace, as a reader would type them; `...` stands for anything."""
    checker, namespace = doctest.OutputChecker(), dict[str, Any]()
    for example in examples():
        where = f"docs/python.md, line {example.line}"
        printed = _shell(example.source) if example.language == "console" else _python(example, namespace)
        if example.output is not None:
            assert checker.check_output(example.output, printed, doctest.ELLIPSIS), (
                f"{where}: the page shows\n{example.output}\nand the example prints\n{printed}"
            )


def _python(example: Any, namespace: dict[str, Any]) -> str:
    printed = io.StringIO()
    code = compile("\n" * (example.line - 1) + example.source, "docs/python.md", "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    return printed.getvalue()


def _shell(source: str) -> str:
    """Run the lines that begin with `$`."""
    lines = [line.removeprefix("$ ") for line in source.splitlines() if line.startswith("$ ")]
    done = subprocess.run(["bash", "-ec", "\n".join(lines)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
