"""`corespec diff`: what a branch changes in rendered/, by meaning."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.options import Directory
from corespec.project import project_root
from generator.diff.report_json import diff_document
from generator.diff.report_markdown import LIMIT, MINIMUM, diff_markdown
from generator.diff.report_text import diff_text
from generator.review import Review, review
from reconciler.exitcode import ExitCode

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class DiffFormat(StrEnum):
    """How a difference is printed; Markdown is for a pull request."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def run(
    base: Annotated[
        str, typer.Option("--base", metavar="REF", help="Branch, tag or commit to compare with: origin/main.")
    ],
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="REF", help="Default: the files on disk, committed or not."),
    ] = None,
    directory: Directory = Path(),
    environment: Annotated[
        str | None, typer.Option("--environment", "-e", metavar="NAME", help="Default: all of them.")
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 3 when there are changes, not with 0.")
    ] = False,
    max_bytes: Annotated[
        int,
        typer.Option("--max-bytes", min=MINIMUM, max=LIMIT, metavar="N", help="Longest Markdown, bytes."),
    ] = LIMIT,
    form: Annotated[
        DiffFormat, typer.Option("--output", "-o", help="markdown: for a comment of a pull request.")
    ] = DiffFormat.TEXT,
) -> int:
    """Show what differs in rendered/ from a base, part by part, and which parts train anew.

    Comments, key order and layout are no difference. Needs neither valid specs nor credentials; a base that
    is not in this clone is fetched.
    """
    if environment is not None and not _NAME.fullmatch(environment):
        raise CommandError(f"`{environment!a}` is no name of an environment")
    found = review(project_root(directory), base, head, environment=environment)
    code = ExitCode.PENDING if exit_code and found.diff else ExitCode.CONVERGED
    if form is DiffFormat.JSON:
        output.emit(_document(found, code))
    else:
        text = diff_text(found.diff) if form is DiffFormat.TEXT else diff_markdown(found.diff, max_bytes)
        output.say(text.rstrip("\n"))
    return code


def _document(found: Review, code: ExitCode) -> dict[str, object]:
    where = {"base": found.base, "head": found.head}
    return {"kind": "Diff", "exit_code": int(code), **where, **diff_document(found.diff)}
