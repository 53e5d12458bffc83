"""`corespec publish`: rendered/ to the GitOps repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import load
from generator.publish import Published, publish
from generator.repository import Credentials
from generator.spec.environment import Git
from reconciler.exitcode import ExitCode


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="To a branch of its own, to be reviewed.")
    ] = False,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="Message of the commit.")
    ] = None,
    form: Output = Format.TEXT,
) -> int:
    """Render one environment, commit what changed in rendered/ and nothing else, and push it.

    Never forces. With --pull-request the commit goes to a branch named after its content.
    """
    place = load(directory, environment, catalog)
    root, git = place.project.root, place.environment.git
    published = publish(
        root,
        place.render(),
        message or f"Render {place.name}",
        git.branch,
        pull_request=pull_request,
        credentials=_credentials(git, root),
    )
    if form is Format.JSON:
        output.emit(
            {
                "environment": place.name,
                "changed": list(published.changed),
                "commit": published.commit,
                "branch": published.branch,
                "compare_url": published.compare_url,
            }
        )
    else:
        _say(published)
    return ExitCode.CONVERGED


def _say(published: Published) -> None:
    for path in published.changed:
        output.say(f"  {path}")
    if published.commit is None:
        output.say(f"Nothing to commit: {published.branch} holds what the specs render.")
        return
    output.say(f"Pushed {published.commit[:10]} to {published.branch}.")
    if published.compare_url:
        output.say(f"Open the pull request: {published.compare_url}")


def _credentials(git: Git, root: Path) -> Credentials | None:
    if git.username is None or git.password is None:
        return None
    return Credentials(git.username.resolve(root), git.password.resolve(root))
