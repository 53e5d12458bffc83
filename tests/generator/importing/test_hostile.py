"""Whatever is wrong with an old file, the answer is a list of findings and never a crash."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from generator.errors import InputError
from generator.importing import import_files
from tests.generator.importing.moving import TUTORIAL
from tests.generator.importing.templates import GREETING, PRICES, SERVER, metaflow

CONFIG = {
    **TUTORIAL,
    ".workflow": "object-detection-train",
    "additionalOptions": {"labels": {"a": "b"}},
    "parameters": {"train": 0.7},
}
ODD = [
    None,
    True,
    0,
    -1.5,
    10**30,
    "",
    "x",
    "{{",
    "<% x %>",
    "<<",
    "\u0000",
    "a\nb",
    "😀",
    [],
    {},
    [[]],
    {"a": {}},
    [None],
]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values below a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in [(*path, key), *places(item, (*path, key))]]


def spoiled(document: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The document with another value at `path`; without it where `odd` is Ellipsis."""
    result = copy.deepcopy(document)
    parent = result
    for step in path[:-1]:
        parent = parent[step]
    if odd is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = odd
    return result


@pytest.mark.parametrize(
    "document",
    [CONFIG, metaflow(), *(yaml.safe_load(text) for text in (GREETING, PRICES, SERVER))],
    ids=["config", "metaflow", "greeting", "prices", "server"],
)
@settings(max_examples=15, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(data=st.data())
def test_a_file_with_one_odd_value_moves_in_or_is_refused(
    document: dict[str, Any], data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(places(document)))
    odd = data.draw(st.sampled_from([..., *ODD]))
    workflow = data.draw(st.sampled_from([None, None, "object-detection-train"]))
    with TemporaryDirectory() as folder:
        root, old = Path(folder) / "project", Path(folder) / "old.json"
        root.mkdir()
        old.write_text(json.dumps(spoiled(document, path, odd)))
        try:
            result = import_files(root, [old], workflow=workflow)
        except InputError as error:
            told = [item.message for item in error.diagnostics]
        else:
            told = [row.subject for row in result.rows]
        assert told
        assert all(told)
        assert list(root.iterdir()) == []
