"""A `workflow_config` in a Jupyter notebook: its code cells are read, and none is run."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from generator.errors import Diagnostic, InputError
from generator.importing.literals import VARIABLE, bindings, find_config, parse_python, refuse_changes
from generator.importing.model import Foreign

# IPython's own lines (`!docker push …`, `%pip …`) become `pass`, so that the numbers of lines stay.
_MAGIC = re.compile(r"^([ \t]*)[!%].*$", re.MULTILINE)


def notebook_source(name: str, text: str) -> Foreign:
    """The last `workflow_config` of a notebook's code cells, with the parameters that any cell binds.

    Findings name the cell: `train.ipynb[cell 4]:2:5`. Raises InputError.
    """
    found: Foreign | None = None
    bound: dict[str, Any] = {}
    for number, source in _cells(name, text):
        tree = _parsed(f"{name}[cell {number}]", source)
        if tree is not None:
            here = find_config(f"{name}[cell {number}]", tree)
            if found and not here:
                refuse_changes(f"{name}[cell {number}]", tree)
            found = here or found
            bound |= bindings(tree)
    if found is None:
        message = f"no cell holds `{VARIABLE} = {{…}}`; name the file that holds it"
        raise InputError([Diagnostic(name, 1, 1, "no-config", message)])
    return Foreign(found.path, found.data, found.positions, bound)


def _parsed(name: str, source: str) -> ast.Module | None:
    """The tree of a cell; a cell that is no Python is passed over, unless it speaks of the config."""
    if source.lstrip().startswith("%%"):
        return None
    try:
        return parse_python(_MAGIC.sub(r"\1pass", source))
    except SyntaxError as error:
        if not re.search(rf"\b{VARIABLE}\s*[=\[:]", source):
            return None
        message = f"the cell is not Python: {error.msg}"
        raise InputError(
            [Diagnostic(name, error.lineno or 1, error.offset or 1, "python-syntax", message)]
        ) from None


def _cells(name: str, text: str) -> list[tuple[int, str]]:
    """Numbers (from 1, of all cells) and sources of the code cells."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"the notebook is not JSON: {error.msg}"
        raise InputError([Diagnostic(name, error.lineno, error.colno, "json-syntax", message)]) from None
    except RecursionError:
        raise InputError([Diagnostic(name, 1, 1, "too-deep", "the notebook is nested too deeply")]) from None
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        message = "this is no notebook of format 4: it has no `cells`; save it with a current Jupyter"
        raise InputError([Diagnostic(name, 1, 1, "no-config", message)])
    return [
        (number, _joined(cell.get("source")))
        for number, cell in enumerate(cells, 1)
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
    ]


def _joined(source: object) -> str:
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""
