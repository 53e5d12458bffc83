"""What `suspend`, `resume` and `rerun` share: find the block, change one key of it, show that, commit it.

Nothing is done at AI Core: Git says what shall be, and the next apply or round of the daemon follows it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.options import Format
from corespec.project import project_root
from generator.errors import InputError
from generator.project import Project, load_project, project_catalog
from generator.repository import GitRepository
from reconciler.exitcode import ExitCode
from reconciler.files import write_atomically

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS", help="execution/SCENARIO/NAME, deployment/SCENARIO/NAME, or the NAME alone."
    ),
]
Commit = Annotated[bool, typer.Option("--commit", help="Commit the file; pushing it is up to you.")]
Only = Annotated[
    str | None,
    typer.Option("--environment", "-e", metavar="NAME", help="In this environment only; default: in all."),
]


@dataclass(frozen=True, slots=True)
class Block:
    """An execution or deployment of the specs, and where what is changed about it stands."""

    address: str
    path: str  #: of the file, relative to the project
    where: tuple[str, ...]  #: of the block in it
    elsewhere: tuple[str, ...] = ()  #: other files in which it is suspended


#: The block and the text of its file -> the new text.
Change = Callable[["Block", str], str]


def edit(
    directory: Path,
    name: str,
    environment: str | None,
    change: Change,
    message: str,
    *,
    commit: bool,
    form: Format,
) -> int:
    """Change one block, and say what has changed; whatever it raises, the file is as it was."""
    root = project_root(directory)
    project = _project(root)
    block = find(project, name, environment)
    file = root / block.path
    before = file.read_bytes().decode("utf-8")
    after = change(block, before)
    subject = f"{message} {block.address}"
    changed = after != before
    if changed and commit and not GitRepository.open(root).is_clean([block.path]):
        raise CommandError(
            f"{block.path} holds changes that nobody has committed",
            remedy="Commit them first, or leave out --commit.",
        )
    if changed:
        _write(root, block.path, before, after)
    made = _committed(root, block.path, after, subject) if changed and commit else None
    _report(block, before, after, made, form)
    return ExitCode.CONVERGED


def find(project: Project, name: str, environment: str | None) -> Block:
    """The block that is meant. Raises CommandError naming those there are."""
    blocks = {
        f"{kind}/{scenario.metadata.name}/{one}": (scenario.metadata.name, f"{kind}s", one)
        for scenario in project.scenarios
        for kind, section in (("execution", scenario.executions), ("deployment", scenario.deployments))
        for one in section
    }
    meant = [address for address in blocks if address == name or address.rpartition("/")[2] == name]
    if len(meant) != 1:
        said = f"`{name}` is {'several things' if meant else 'no execution or deployment of the specs'}"
        raise CommandError(said, remedy=_known(name, meant or sorted(blocks)))
    scenario, section, one = blocks[meant[0]]
    suspended = _suspended(project, scenario, section, one)
    if environment is None:
        path = project.sources[scenario]
        return Block(meant[0], path, (section, one), tuple(f for f in suspended if f != path))
    if environment not in project.environments:
        known = ", ".join(project.environments)
        raise CommandError(
            f"there is no environment `{environment}`", remedy=f"specs/environments/ has: {known}."
        )
    if section != "executions":
        raise CommandError("a deployment is the same in all environments", remedy="Leave out -e.")
    path, where = project.sources[f"environments/{environment}"], ("overrides", scenario, section, one)
    return Block(meant[0], path, where, tuple(f for f in suspended if f != path))


def _suspended(project: Project, scenario: str, section: str, name: str) -> Iterator[str]:
    """Files that suspend a block."""
    for one in project.scenarios:
        if one.metadata.name == scenario and getattr(one, section)[name].suspend:
            yield project.sources[scenario]
    for place in project.environments.values():
        overrides = place.overrides.get(scenario)
        override = overrides.executions.get(name) if overrides and section == "executions" else None
        if override and override.suspend:
            yield project.sources[f"environments/{place.metadata.name}"]


def _known(name: str, addresses: list[str]) -> str:
    last = name.rpartition("/")[2]
    family = [one for one in addresses if last.startswith(f"{one.rpartition('/')[2]}.")]
    if family:
        return f"It is part of {family[0]}, and its children share one block: name that one."
    return f"Name one of: {', '.join(addresses) or 'none'}."


def _project(root: Path) -> Project:
    return load_project(root, project_catalog(root))


def _write(root: Path, path: str, before: str, after: str) -> None:
    """Write, and take it back where the specs are no longer valid."""
    file = root / path
    mode = file.stat().st_mode & 0o777
    write_atomically(file, after.encode(), mode=mode)
    try:
        _project(root)
    except InputError:
        write_atomically(file, before.encode(), mode=mode)
        raise


def _committed(root: Path, path: str, text: str, message: str) -> str | None:
    repository = GitRepository.open(root)
    made = repository.commit({path: text.encode()}, message)
    if made:
        repository.advance(made, [path])
    return made


def _report(block: Block, before: str, after: str, commit: str | None, form: Format) -> None:
    lines = list(_diff(block.path, before, after))
    if form is Format.JSON:
        output.emit(
            {
                "kind": "Edit",
                "address": block.address,
                "file": block.path,
                "changed": bool(lines),
                "diff": "\n".join(lines),
                "commit": commit,
            }
        )
        return
    if not lines:
        output.say(f"{block.path} says so already: nothing was changed.")
        return
    output.say("\n".join(lines))
    how = "Push it" if commit else f"Commit {block.path} and push it"
    output.note(
        f"{how}: nothing has been done at AI Core; the next apply, or round of the daemon, follows Git."
    )


def _diff(path: str, before: str, after: str) -> Iterator[str]:
    files = (f"a/{path}", f"b/{path}")
    yield from difflib.unified_diff(before.splitlines(), after.splitlines(), *files, lineterm="")
