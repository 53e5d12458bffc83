"""docs/tutorial.ipynb: every cell runs, nothing of it stays behind, and what is committed is source alone."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.docs.page import page, table_rows
from tests.docs.runner import cells

pytestmark = pytest.mark.long

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"
RUNNER = Path(__file__).with_name("runner.py")
NEEDS_ALL = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("torch", "matplotlib", "fastapi")),
    reason="needs what the notebook needs: pip install 'corespec[train,local]'",
)
FENCE = re.compile(r"^(?:> )?```[A-Z]+\n(.*?)^(?:> )?```", re.MULTILINE | re.DOTALL)


def document() -> dict[str, Any]:
    """The notebook as JSON."""
    loaded: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return loaded


def headings() -> list[str]:
    """The headings of its Markdown cells, in order."""
    texts = ("".join(cell["source"]) for cell in document()["cells"] if cell["cell_type"] == "markdown")
    return [heading for text in texts for heading in re.findall(r"^##+ (.+)$", text, re.MULTILINE)]


def steps() -> list[list[str]]:
    """The table of docs/python.md: step of the tutorial, what it calls there, heading in the notebook."""
    return list(table_rows(page().split("## The tutorial as a notebook")[1]))


def run_notebook(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own whose temporary files lie in `folder`, with a tiny training."""
    environment = {
        **os.environ,
        "TMPDIR": str(folder),
        "CORESPEC_TUTORIAL_STEPS": "12",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": str(folder / "matplotlib"),
    }
    command = [sys.executable, str(RUNNER), str(NOTEBOOK), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)


def processes_in(folder: Path) -> list[str]:
    """Command lines of the processes that name `folder`."""
    return [line for line in command_lines() if str(folder) in line]


def command_lines() -> list[str]:
    """Those of every process of this machine."""
    if not Path("/proc/self/cmdline").exists():
        return subprocess.check_output(["ps", "axww", "-o", "args="], text=True).splitlines()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", errors="replace"))
    return found


def titles(output: str) -> Sequence[str]:
    """The cells that ran to their end."""
    return re.findall(r"^── ([\w-]+): [\d.]+ s$", output, re.MULTILINE)


@NEEDS_ALL
@pytest.mark.training
@pytest.mark.timeout(300)
def test_every_cell_runs_and_nothing_is_left(tmp_path: Path) -> None:
    """The whole walk, training and all, against a local AI Core; afterwards neither process nor file."""
    done = run_notebook(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert titles(done.stdout) == [name for name, _ in cells(NOTEBOOK)]
    assert "findings: []" in done.stdout
    assert "exit code: 0" in done.stdout
    assert "Plan for local: nothing to do." in done.stdout
    assert re.search(r"^COMPLETED model ai://default/", done.stdout, re.MULTILINE)
    assert processes_in(tmp_path) == []
    assert list(tmp_path.glob("corespec-tutorial-*")) == []


@NEEDS_ALL
@pytest.mark.training
@pytest.mark.timeout(300)
def test_a_cell_that_fails_leaves_no_process(tmp_path: Path) -> None:
    """Neither the AI Core nor the training that it runs outlives the kernel."""
    launch = "session.apply(Options(wait=False)); assert session.executions(); raise OSError('no more')"
    done = run_notebook(tmp_path, "--until", "start", "--then", launch)
    assert done.returncode == 1
    assert "OSError: no more" in done.stderr
    assert processes_in(tmp_path) == []


def test_what_is_committed_is_source_alone() -> None:
    """No outputs, no counts, no metadata of an editor, no path of a machine; cells have names."""
    found = document()
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert found["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in found["cells"]:
        assert cell["metadata"] == {}
        assert re.fullmatch(r"[a-z][a-z-]+", cell["id"])
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.}])/(?:home|root|work|opt|tmp|Users|var|usr|mnt)\b", text)


def test_the_file_is_written_as_jupyter_writes_it() -> None:
    """Opening and saving it in Jupyter changes nothing but what was edited."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert text == json.dumps(document(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def test_each_step_of_the_table_is_a_heading_of_the_notebook_in_this_order() -> None:
    there = headings()
    assert [there.index(row[2]) for row in steps()] == sorted(there.index(row[2]) for row in steps())


def test_each_step_of_the_tutorial_has_its_counterpart(shared: Path) -> None:
    """Every step in its order, and every block of code that it holds."""
    text = (shared / "tutorial.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)[1:]
    assert [row[0] for row in steps()] == parts[::2]
    for row, body in zip(steps(), parts[1::2], strict=True):
        calls = re.findall(r"`([^`]+)`", row[1])
        for block in FENCE.findall(body):
            assert any(call in block for call in calls), f"{row[0]}: nothing of the table is in\n{block}"
