"""`corespec image build|push|lock`: from the rendered recipe to a digest in a registry."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.image_progress import ImageDisplay
from corespec.image_report import built_row, say_built, say_entries
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import load
from generator.errors import RepositoryError
from generator.images.base import fetch_base
from generator.images.build import PLATFORM, BuildOptions, build_image
from generator.images.context import context_files
from generator.images.engine import connect
from generator.images.events import Listener, silent
from generator.images.lock import LockState, compare, read_lock, write_lock
from generator.images.push import push_image
from generator.images.registry import credentials_for, remote_digest
from generator.images.targets import (
    SPEC_DIGEST,
    Target,
    labels,
    lockable,
    revision_of,
    source_of,
    spec_digest,
    targets,
)
from generator.repository import GitRepository
from generator.spec.locks import LOCK_PATH
from reconciler.exitcode import ExitCode

group = typer.Typer(no_args_is_help=True, help="Build, push and lock the images of executables.")

Executables = Annotated[
    list[str] | None, typer.Argument(metavar="[EXECUTABLE]…", help="Default: all of the environment.")
]


@group.command("build")
def build(
    executables: Executables = None,
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    build_arg: Annotated[
        list[str] | None,
        typer.Option(
            "--build-arg",
            metavar="NAME[=VALUE]",
            help="PIP_INDEX_URL, PIP_EXTRA_INDEX_URL or TORCH_INDEX_URL; NAME alone: the variable here.",
        ),
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, exists=True, help="Wheels that pip takes first."),
    ] = None,
    platform: Annotated[str, typer.Option(help="What the image shall run on.")] = PLATFORM,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build every layer anew.")] = False,
    pull: Annotated[bool, typer.Option("--pull", help="Look for a newer base image.")] = False,
    sbom: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, help="Write a CycloneDX bill of each image to DIR."),
    ] = None,
    form: Output = Format.TEXT,
) -> int:
    """Build the images whose recipes lie in rendered/, on the Docker engine that answers.

    Nothing but the recipe, the trainer's code and the wheels you name is sent to it. Refuses a stale recipe:
    what is built is what was reviewed.
    """
    place = load(directory, environment, catalog)
    root = place.project.root
    chosen = targets(place.resolve(), executables or ())
    contexts = {item.reference: context_files(root, item.recipe, wheels) for item in chosen}
    arguments = _arguments(build_arg or ())
    repository = _repository(root)
    engine = connect()
    rows = []
    with _listener(form) as listener:
        for item in chosen:
            base = item.executable.base_image
            known = credentials_for(base, place.environment.docker, root)
            if known:
                fetch_base(engine, base, known, platform, always=pull, listener=listener)
            options = BuildOptions(
                arguments,
                _labels(item, repository),
                platform,
                cache=not no_cache,
                pull=pull and known is None,
            )
            built = build_image(engine, item.reference, contexts[item.reference], options, listener)
            rows.append(built_row(item, built, _write_bill(engine, item, sbom)))
    say_built(place.name, rows, form)
    return ExitCode.CONVERGED


@group.command("push")
def push(
    executables: Executables = None,
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    form: Output = Format.TEXT,
) -> int:
    """Push the images to their registry, and lock the digests that it answers with.

    The credentials are those of the environment's docker.username and docker.password, and are kept nowhere;
    without them, those of `docker login`.
    """
    place = load(directory, environment, catalog)
    root, docker = place.project.root, place.environment.docker
    chosen = targets(place.resolve(), executables or ())
    locked = read_lock(root)
    credentials = {item.reference: credentials_for(item.reference, docker, root) for item in chosen}
    engine = connect()
    pushed: dict[str, str] = {}
    with _listener(form) as listener:
        for item in chosen:
            pushed[item.reference] = push_image(engine, item.reference, credentials[item.reference], listener)
            write_lock(root, {item.reference: pushed[item.reference]})
            _warn_of_age(engine, item)
    entries = compare(locked, pushed)
    say_entries(place.name, entries, form)
    if form is Format.TEXT and any(entry.state is not LockState.SAME for entry in entries):
        output.note(f"{LOCK_PATH} has changed: run `corespec render`, and commit both.")
    return ExitCode.CONVERGED


@group.command("lock")
def lock(
    executables: Executables = None,
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 3 when a tag has moved or is not locked.")
    ] = False,
    form: Output = Format.TEXT,
) -> int:
    """Ask the registry what each tag stands for, and write that to images.lock.yaml.

    With --check it finds drift: a tag that stands for other content than when it was locked.
    """
    place = load(directory, environment, catalog)
    root, docker = place.project.root, place.environment.docker
    engine = connect()
    found = {
        reference: remote_digest(engine, reference, credentials_for(reference, docker, root))
        for reference in lockable(place.resolve(), executables or ())
    }
    entries = compare(read_lock(root), found)
    pending = any(entry.state is not LockState.SAME for entry in entries)
    if not check:
        write_lock(root, found)
    say_entries(place.name, entries, form)
    if form is Format.TEXT and pending:
        output.note(
            "images.lock.yaml no longer says what the registry has: `corespec image lock` accepts that."
            if check
            else f"{LOCK_PATH} has changed: run `corespec render`, and commit both."
        )
    return ExitCode.PENDING if check and pending else ExitCode.CONVERGED


def _arguments(words: Sequence[str]) -> dict[str, str]:
    """Build arguments by name; a name alone takes this machine's variable, so that no secret is typed."""
    found: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not name or (not separator and name not in os.environ):
            raise CommandError(
                f"--build-arg {name}: expected NAME=VALUE, or the name of a variable that is set",
                remedy=f"Give --build-arg {name or 'NAME'}=VALUE.",
            )
        found[name] = value if separator else os.environ[name]
    return found


def _repository(root: Path) -> GitRepository | None:
    try:
        return GitRepository.open(root)
    except RepositoryError:
        return None


def _labels(target: Target, repository: GitRepository | None) -> dict[str, str]:
    source = source_of(repository.remote_url()) if repository else None
    return labels(target.executable, revision_of(repository), source)


@contextmanager
def _listener(form: Format) -> Iterator[Listener]:
    """Progress goes to stderr, and nowhere when a program reads the result."""
    if form is Format.JSON:
        yield silent
    else:
        with ImageDisplay(output.console(stderr=True)) as display:
            yield display


def _write_bill(engine: Any, target: Target, folder: Path | None) -> str | None:
    """The bill of materials of a built image, as a file of `folder`; its path."""
    if folder is None:
        return None
    from generator.images.inventory import take_inventory
    from generator.images.sbom import bill_of_materials, wheel_hashes

    requirements = next((text for path, text in target.recipe.items() if path.endswith(".txt")), b"")
    bill = bill_of_materials(
        take_inventory(engine, target.reference), wheel_hashes(requirements.decode("utf-8"))
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target.executable.id}.cdx.json"
    path.write_text(bill, encoding="utf-8")
    return path.as_posix()


def _warn_of_age(engine: Any, target: Target) -> None:
    """Say when the image that was pushed was built from other specs than these."""
    found: Mapping[str, str] = engine.inspect_image(target.reference)["Config"].get("Labels") or {}
    if found.get(SPEC_DIGEST, spec_digest(target.executable)) != spec_digest(target.executable):
        output.note(f"warning: {target.reference} was built from other specs; build it again to be sure.")
