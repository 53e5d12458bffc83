"""The demo's Git repository: a bare one that plays the server, and the user's clone with the specs in it."""

from __future__ import annotations

from pathlib import Path

from corespec import output
from corespec.demo import scenario, shell
from corespec.demo.dataset import guess_splits
from corespec.demo.workspace import Workspace

_IDENTITY = {"user.name": "Corespec demo", "user.email": "demo@localhost"}


def prepare(place: Workspace, source: Path, *, own: bool) -> None:
    """Make the repositories and push the first specs; what is there stays as the user left it."""
    if (place.project / "specs").is_dir() and place.origin.is_dir():
        output.say(f"{place.project} is there already, with your edits.")
        _warn_of_uncommitted(place)
        return
    shell.quiet("git", "init", "--bare", "--initial-branch=main", place.origin)
    shell.quiet("corespec", "init", place.project, "--name", place.scenario)
    shell.quiet("git", "init", "--initial-branch=main", place.project)
    for key, value in _IDENTITY.items():
        shell.captured("git", "-C", place.project, "config", key, value)
    _write_specs(place, source, own=own)
    shell.quiet("git", "-C", place.project, "remote", "add", "origin", place.origin.resolve())
    shell.quiet("git", "-C", place.project, "add", "--all")
    shell.quiet("git", "-C", place.project, "commit", "--quiet", "--message", "Say what shall be trained")
    shell.quiet("git", "-C", place.project, "push", "--quiet", "--set-upstream", "origin", "main")


def _write_specs(place: Workspace, source: Path, *, own: bool) -> None:
    specs = place.project / "specs"
    for path in (*specs.glob("*.yaml"), *specs.glob("environments/*.yaml")):
        path.unlink()
    values = scenario.parameters(guess_splits(source), own=own)
    files = {
        specs / f"{place.scenario}.yaml": scenario.scenario_text(place, source, values),
        specs / "environments" / "local.yaml": scenario.environment_text(place),
    }
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
        output.say(f"wrote {path}")
    output.say("\n".join(f"    {name}: {value}" for name, value in values.items()))


def _warn_of_uncommitted(place: Workspace) -> None:
    edits = shell.captured("git", "-C", place.project, "status", "--porcelain", "--", "specs").split()
    if edits:
        output.say(f"Not committed: {' '.join(edits[1::2])}. Commit and push: only what is pushed is synced.")
