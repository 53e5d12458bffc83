"""`corespec lint FILE…`: WorkflowTemplates and ServingTemplates, rendered or written by hand."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.options import Format, Output
from generator.errors import Diagnostic
from generator.lint import errors, lint_files
from reconciler.exitcode import ExitCode

STDIN = "-"
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def run(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="Template files, folders (searched for YAML and JSON), or -."),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings count like errors: exit 2 for them too.")
    ] = False,
    form: Output = Format.TEXT,
) -> int:
    """Check templates against the rules of AI Core, Argo, KServe and Kubernetes, and against each other.

    All files together are taken for what one tenant holds. Every finding of every file is printed:
    path:line:column: error|warning: code: message. docs/lint.md explains the codes. Exit code 2 when there is
    an error, 0 with warnings alone.
    """
    files = dict(_read(paths))
    found = lint_files(files)
    serious = errors(found)
    if form is Format.JSON:
        output.emit(
            {
                "files": len(files),
                "errors": len(serious),
                "warnings": len(found) - len(serious),
                "diagnostics": [asdict(item) for item in found],
            }
        )
    else:
        for item in found:
            output.say(_line(item))
        output.say(_summary(len(files), len(serious), len(found) - len(serious)))
    return ExitCode.REJECTED if serious or (strict and found) else ExitCode.CONVERGED


def _read(paths: Iterable[str]) -> Iterable[tuple[str, bytes]]:
    """Contents by name as the user wrote it. A folder stands for the templates anywhere below it."""
    for name in paths:
        path = Path(name)
        if name == STDIN:
            yield "stdin.yaml", sys.stdin.buffer.read()
        elif path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.suffix.lower() in _SUFFIXES and found.is_file():
                    yield found.as_posix(), found.read_bytes()
        elif path.exists():
            yield path.as_posix(), path.read_bytes()
        else:
            raise CommandError(
                f"{name}: no such file or folder", remedy="Name template files, or - for stdin."
            )


def _line(item: Diagnostic) -> str:
    place = f"{item.path}:{item.line}:{item.column}"
    return f"{place}: {item.severity}: {item.code}: {item.message}"


def _summary(files: int, wrong: int, doubtful: int) -> str:
    return f"{_count(files, 'file')}: {_count(wrong, 'error')}, {_count(doubtful, 'warning')}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
