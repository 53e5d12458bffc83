"""`corespec render [--check]`: specs to templates, byte for byte the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from generator import rendercache
from reconciler.exitcode import ExitCode

if TYPE_CHECKING:
    from generator.spec.resolve import Resolved

#: Paths that a person is shown at most; `-o json` has all of them.
LISTED = 40
#: Executables that are rendered before anybody would wonder.
UNSEEN = 200

Rendered = Mapping[str, Collection[str]]  # environment -> paths


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 3 when rendered/ is stale.")
    ] = False,
    form: Output = Format.TEXT,
) -> int:
    """Write the templates, Dockerfiles and manifest of every environment (or of one) to rendered/.

    Needs no network and no credentials. With --check it prints what would change as a unified diff. Without
    -e, what was rendered for an environment that is no more goes as well. What a run has proven is kept in
    .corespec/cache/render, which may be deleted at any time.
    """
    root, extra = directory.resolve(), [folder.absolute() for folder in catalog or ()]
    known = rendercache.lookup(root, environment, extra)
    if known is not None:  # and nothing else had to be imported to know it
        return _say_checked(known.files, "", form) if check else _say_written(known.files, [], form)
    rendered, environments = _render(directory, environment, extra)
    return (_check if check else _write)(root, rendered, environments, form)


def _render(
    directory: Path, environment: str | None, extra: Sequence[Path]
) -> tuple[Mapping[str, Mapping[str, bytes]], Collection[str] | None]:
    """Files by environment; and the names of all environments where all are meant."""
    from corespec.project import load_all
    from generator.renderinputs import inputs_digest

    root = directory.resolve()
    catalogs = _catalogs(root, extra)
    inputs = inputs_digest(root, catalogs)
    places = load_all(directory, environment, extra)
    rendered = _render_all({place.name: place.resolve() for place in places})
    environments = places[0].project.environments
    if _catalogs(root, extra) == catalogs:
        rendercache.remember(
            root, rendered, environments=environments, inputs=inputs, extra=extra, catalogs=catalogs
        )
    return rendered, None if environment is not None else sorted(environments)


def _catalogs(root: Path, extra: Sequence[Path]) -> list[Path]:
    """Absolute, but as they are named: a link may lead elsewhere tomorrow."""
    from generator.project import catalog_folders

    return [folder.absolute() for folder in catalog_folders(root, extra)]


def _render_all(resolved: Mapping[str, Resolved]) -> dict[str, dict[str, bytes]]:
    """Render every environment; a person who has to wait sees how far it is."""
    from generator.render import render

    total = sum(len(item.executables) for item in resolved.values())
    if total <= UNSEEN or not sys.stderr.isatty():
        return {name: render(item) for name, item in resolved.items()}
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=output.console(stderr=True), transient=True) as bar:
        task = bar.add_task("rendering", total=total)
        return {name: render(item, lambda: bar.advance(task)) for name, item in resolved.items()}


def _check(
    root: Path,
    rendered: Mapping[str, Mapping[str, bytes]],
    environments: Collection[str] | None,
    form: Format,
) -> int:
    from generator.rendered import rendered_drift

    return _say_checked(rendered, rendered_drift(root, _everything(rendered), environments), form)


def _write(
    root: Path,
    rendered: Mapping[str, Mapping[str, bytes]],
    environments: Collection[str] | None,
    form: Format,
) -> int:
    from generator.rendered import write_rendered

    return _say_written(rendered, write_rendered(root, _everything(rendered), environments), form)


def _everything(rendered: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    return {path: content for files in rendered.values() for path, content in files.items()}


def _say_checked(rendered: Rendered, difference: str, form: Format) -> int:
    if form is Format.JSON:
        output.emit({**_counts(rendered), "stale": bool(difference), "diff": difference})
    elif difference:
        output.say(difference.rstrip("\n"))
        output.note("rendered/ is stale: run `corespec render` and commit what it writes.")
    else:
        output.say(f"rendered/ is up to date: {_counted(rendered)}.")
    return ExitCode.PENDING if difference else ExitCode.CONVERGED


def _say_written(rendered: Rendered, changed: Sequence[str], form: Format) -> int:
    if form is Format.JSON:
        output.emit({**_counts(rendered), "changed": list(changed)})
        return ExitCode.CONVERGED
    if not changed:
        output.say(f"rendered/ is up to date: {_counted(rendered)}.")
        return ExitCode.CONVERGED
    output.say("\n".join(changed[:LISTED]))
    if len(changed) > LISTED:
        output.say(f"… and {len(changed) - LISTED:,} more")
    wanted = {path for paths in rendered.values() for path in paths}
    removed = len(set(changed) - wanted)
    output.say(
        f"Rendered {_counted(rendered)}: {len(changed) - removed:,} written"
        + (f", {removed:,} removed." if removed else ".")
    )
    return ExitCode.CONVERGED


def _counts(rendered: Rendered) -> dict[str, Any]:
    paths = [path for files in rendered.values() for path in files]
    templates = sum("/templates/" in path for path in paths)
    return {"environments": list(rendered), "templates": templates, "files": len(paths)}


def _counted(rendered: Rendered) -> str:
    counts = _counts(rendered)
    templates = f"{counts['templates']:,} template{'' if counts['templates'] == 1 else 's'}"
    return f"{templates} in {counts['files']:,} files ({', '.join(rendered)})"
