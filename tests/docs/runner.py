"""Runs the code cells of a notebook in one namespace, in a process of its own, as a kernel would.

    python runner.py NOTEBOOK [--until CELL] [--then CODE]

Prints the id of every cell and how long it took. The value of a last expression is shown as text. A cell
that fails ends the run with its traceback and exit code 1. `--until` leaves out that cell and all after it;
`--then` is run in their place.
"""

from __future__ import annotations

import argparse
import ast
import json
import linecache
import time
from pathlib import Path
from typing import Any


def cells(notebook: Path) -> list[tuple[str, str]]:
    """Id and source of the code cells, in their order."""
    document: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    code = (cell for cell in document["cells"] if cell["cell_type"] == "code")
    return [(cell["id"], "".join(cell["source"])) for cell in code]


def run_cell(name: str, source: str, namespace: dict[str, Any]) -> None:
    """Run one cell; a last expression is evaluated and shown, as a notebook does."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), namespace)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
        if value is not None:
            print(repr(value))


def main() -> None:
    """Run the notebook that is named on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--until", metavar="CELL")
    parser.add_argument("--then", metavar="CODE", default="")
    options = parser.parse_args()
    chosen = cells(options.notebook)
    if options.until:
        names = [name for name, _ in chosen]
        chosen = [*chosen[: names.index(options.until)], ("then", options.then)]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for name, source in chosen:
        print(f"── {name}", flush=True)
        begin = time.monotonic()
        run_cell(f"{options.notebook.name}#{name}", source, namespace)
        print(f"── {name}: {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
