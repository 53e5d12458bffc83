"""`corespec render [--check]`: specs to templates, byte for byte the same everywhere."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from generator import rendercache
from reconciler.exitcode import ExitCode

#: Paths that a person is shown at most; `-o json` has all of them.
LISTED = 40

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
    -e, what was rendered for an environment that is no more goes as well.
    """
    root, extra = directory.resolve(), [folder.resolve() for folder in catalog or ()]
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
    catalogs = [*extra, *_named_catalogs()]
    inputs = inputs_digest(root, catalogs)
    places = load_all(directory, environment, extra)
    rendered = {place.name: place.render() for place in places}
    environments = places[0].project.environments
    rendercache.remember(
        root, rendered, environments=environments, inputs=inputs, extra=extra, catalogs=catalogs
    )
    return rendered, None if environment is not None else sorted(environments)


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


def _named_catalogs() -> list[Path]:
    """Catalogue folders of the variable CORESPEC_CATALOG."""
    names = os.environ.get("CORESPEC_CATALOG", "").split(os.pathsep)
    return [Path(name).resolve() for name in names if name]
