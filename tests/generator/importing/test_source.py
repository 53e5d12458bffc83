"""Old files are read as data and never run; what cannot be read is one error with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.errors import InputError
from generator.importing.model import Foreign
from generator.importing.source import load, parse_foreign

CONFIG = '{"name": "digits-train", "image": "kim/digits:1"}'


def parsed(text: str | bytes, suffix: str) -> Foreign:
    content = text.encode("utf-8") if isinstance(text, str) else text
    return parse_foreign(f"old{suffix}", content, suffix)


def finding(text: str | bytes, suffix: str) -> str:
    """The only finding, as people read it."""
    with pytest.raises(InputError) as caught:
        parsed(text, suffix)
    (found,) = caught.value.diagnostics
    return str(found)


def notebook(*cells: str | list[str], kind: str = "code") -> str:
    return json.dumps({"nbformat": 4, "cells": [{"cell_type": kind, "source": source} for source in cells]})


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("name: digits-train\nimage: kim/digits:1\n", ".yaml"),
        (CONFIG, ".json"),
        (CONFIG, ".yml"),
        ('{\n\t"name": "digits-train",\n\t"image": "kim\\/digits:1"}', ".json"),
        (f"import os\nworkflow_config = {CONFIG}\n", ".py"),
        (f"workflow_config: dict = {CONFIG}\n", ".py"),
        (f"{CONFIG}\n", ".py"),
        (f"something = {CONFIG}\n", ".py"),
        (notebook("!docker push x\n%pip install y", f"workflow_config = {CONFIG}"), ".ipynb"),
        (notebook("%%bash\nls", ["workflow_config = \\\n", CONFIG]), ".ipynb"),
    ],
)
def test_every_form_of_the_config_gives_the_same_data(text: str, suffix: str) -> None:
    assert parsed(text, suffix).data == {"name": "digits-train", "image": "kim/digits:1"}


def test_text_in_escapes_that_only_json_has_is_read() -> None:
    """Python's json writes surrogate pairs, which YAML forbids."""
    assert parsed('{"name": "\\ud83d\\ude00"}', ".json").data == {"name": "😀"}


def test_positions_are_those_of_the_file() -> None:
    assert parsed("\nname: a\nlabels:\n  b: c\n", ".yaml").positions.of(("labels", "b")) == (4, 6)
    assert parsed("x = 1\nworkflow_config = {\n  'name': 'a',\n}\n", ".py").positions.of(("name",)) == (3, 11)


def test_findings_of_a_notebook_name_the_cell() -> None:
    text = notebook("import os", "workflow_config = {\n  'image': os.environ['IMAGE'],\n}")
    assert finding(text, ".ipynb").startswith("old.ipynb[cell 2]:2:12: python-code: `os.environ['IMAGE']`")


def test_the_last_config_of_a_notebook_counts() -> None:
    text = notebook(f"workflow_config = {CONFIG}", "workflow_config = {'name': 'later', 'image': 'x'}")
    assert parsed(text, ".ipynb").data["name"] == "later"


def test_parameters_that_a_notebook_binds_are_found() -> None:
    """Positional, by keyword, through a module; what is no literal is passed over."""
    text = notebook(
        f"workflow_config = {CONFIG}",
        "params = [ParameterBinding('train', '0.8'), models.ParameterBinding(key='test', value='0.1'),\n"
        "  ParameterBinding('batch_size', size()), ParameterBinding()]",
    )
    assert parsed(text, ".ipynb").bindings == {"train": "0.8", "test": "0.1"}


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').system('touch owned')",
        "open('owned', 'w')",
        "f'{x}'",
        "'a' + name",
        "[x for x in y]",
        "lambda: 0",
    ],
)
def test_code_in_the_dict_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"workflow_config = {{\n  'name': {code},\n  'image': 'x'}}\n"
    assert finding(text, ".py").startswith("old.py:2:11: python-code: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "line",
    [
        "workflow_config['labels']['a'] = 'b'",
        "workflow_config.update(image='y')",
        "workflow_config['labels'].pop('a')",
        "del workflow_config['image']",
        "workflow_config['image'] += ':2'",
    ],
)
def test_a_dict_that_the_program_changes_later_is_refused(line: str) -> None:
    """Only the literal is read: what was changed would be lost silently."""
    assert "old.py:2:1: config-changed: " in finding(f"workflow_config = {CONFIG}\n{line}\n", ".py")
    cells = notebook(f"workflow_config = {CONFIG}", f"\n{line}")
    assert "old.ipynb[cell 2]:2:1: config-changed: " in finding(cells, ".ipynb")


BOMB = "a: &a [x, x]\nb: [*a, *a]\n"


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        ("name: !!python/object:os.system x\n", ".yaml", "old.yaml:1:7: yaml-tag: "),
        ("a: 1\na: 2\n", ".yaml", "old.yaml:2:1: duplicate-key: "),
        ("a: 1\n---\nb: 2\n", ".yaml", "old.yaml:2:1: several-documents: this is a second document"),
        ("", ".yaml", "old.yaml:1:1: empty-file: "),
        ("- a\n", ".yaml", "old.yaml:1:1: not-a-mapping: "),
        (b"\xff\xfe", ".yaml", "old.yaml:1:1: not-utf8: "),
        ("a: [\n", ".yaml", "old.yaml:2:1: yaml-syntax: "),
        ("[" * 3000, ".yaml", "old.yaml:1:22: too-deep: "),
        ('{"a": 1,}', ".json", "old.json:1:9: json-syntax: "),
        ('{"a": 1, "a": 2}', ".json", "old.json:1:1: duplicate-key: `a`"),
        ('{"a": [' * 40 + "]}" * 40, ".json", "old.json:1:"),
        ("[" * 200_000, ".json", "old.json:1:1: too-deep: "),
        (b'{"a": "\xff"}', ".json", "old.json:1:1: not-utf8: "),
        ("x = (\n", ".py", "old.py:1:5: python-syntax: "),
        ("\0", ".py", "old.py:1:1: python-syntax: "),
        ("x = 1\n", ".py", "old.py:1:1: no-config: "),
        ("workflow_config = dict(name='a')\n", ".py", "old.py:1:19: python-code: `dict(name='a')`"),
        ("workflow_config = ['a']\n", ".py", "old.py:1:19: no-config: "),
        ("workflow_config = {**a, 'name': 'b'}\n", ".py", "old.py:1:22: python-code: a key"),
        ("workflow_config = {'a': 1, 'a': 2}\n", ".py", "old.py:1:28: duplicate-key: `a`"),
        ("workflow_config = {'a': b'x'}\n", ".py", "old.py:1:25: wrong-type: "),
        (f"a = {CONFIG}\nb = {CONFIG}\n", ".py", "old.py:2:1: several-configs: "),
        ("-" * 100_000 + "1", ".py", "old.py:"),
        ("workflow_config = " + "[" * 90 + "]" * 90, ".py", "old.py:1:"),
        ("not json", ".ipynb", "old.ipynb:1:1: json-syntax: "),
        ("{}", ".ipynb", "old.ipynb:1:1: no-config: "),
        (notebook("x = 1"), ".ipynb", "old.ipynb:1:1: no-config: "),
        (notebook(f"workflow_config = {CONFIG}", kind="markdown"), ".ipynb", "old.ipynb:1:1: no-config: "),
        (notebook("workflow_config = {"), ".ipynb", "old.ipynb[cell 1]:1:19: python-syntax: "),
    ],
)
def test_hostile_and_broken_files_are_one_error(text: str | bytes, suffix: str, expected: str) -> None:
    assert finding(text, suffix).startswith(expected)


def test_aliases_are_refused_by_name_and_not_expanded() -> None:
    """A billion laughs costs nothing: nothing is built from an alias."""
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(InputError) as caught:
        parsed("a0: &a0 [lol]\n" + levels, ".yaml")
    first = caught.value.diagnostics[0]
    assert (first.line, first.code) == (1, "yaml-anchor")
    assert "`&a0`: anchors are not read, because aliases can stand for gigabytes" in first.message


def test_an_unreadable_or_huge_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.yaml:1:1: unreadable: cannot be read: No such file"):
        load(tmp_path / "gone.yaml", "gone.yaml")
    (tmp_path / "huge.json").write_bytes(b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(InputError, match=r"huge\.json:1:1: too-large"):
        load(tmp_path / "huge.json", "huge.json")
