"""The entry point: what it loads, what it lists, and that every fault of the user is one message."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from corespec.__main__ import VERBS, main, module_of

HEAVY = {"torch", "boto3", "git", "hera", "pydantic", "yaml", "jinja2", "docker", "ai_core_sdk", "fastapi"}


def test_help_loads_none_of_the_rooms() -> None:
    """`corespec --help` answers at once because nothing heavy is imported for it."""
    program = (
        "import sys; from corespec.__main__ import main; code = main(['--help']);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(result.stderr.split())
    assert not loaded & HEAVY
    assert not loaded & {"generator", "console", "trainer", "localcore"}


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb stands in the help, so nothing has to be known beforehand."""
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f" {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every listed verb exists as a module and has a help page of its own; none is a stub."""
    module = import_module(module_of(verb))
    assert hasattr(module, "run") != hasattr(module, "group")
    assert main([verb, "--help"]) == 0
    assert "Usage: corespec " + verb in " ".join(capsys.readouterr().out.split())


def test_no_module_of_a_verb_is_forgotten() -> None:
    """A verb that is written is a verb that is listed."""
    folder = Path(import_module("corespec.verbs").__path__[0])
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == {
        module_of(verb).rpartition(".")[2] for verb in VERBS
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["aply"], "No such command 'aply'. Did you mean 'apply'?"),
        (["render", "--chekc"], "No such option: --chekc"),
        (["plan", "-o", "yaml"], "'yaml' is not one of 'text', 'json'"),
        (["validate", "-C", "nowhere"], "nowhere is no project folder: it holds no specs/"),
    ],
)
def test_a_wrong_command_line_is_one_message_and_exit_code_2(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Usage errors name the fault, give a next step, and never show a traceback."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 2


def test_errors_are_json_where_json_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that reads `-o json` finds the error, its kind and the exit code on stdout."""
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "-o", "json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["format_version"] == "1.0"
    assert document["exit_code"] == 2
    assert document["error"]["kind"] == "CommandError"
    assert "holds no specs/" in document["error"]["message"]


def test_verbose_shows_where_an_error_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--verbose is taken before and after the verb and adds the traceback, nothing else."""
    monkeypatch.chdir(tmp_path)
    for arguments in (["--verbose", "validate"], ["validate", "--verbose"]):
        assert main(arguments) == 2
        assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the distribution's."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("corespec ")
