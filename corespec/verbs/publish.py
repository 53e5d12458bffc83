"""`corespec publish`: rendered/ to the GitOps repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import load
from generator.compare import Forge
from generator.publish import Published, publish
from generator.repository import Credentials, GitRepository
from generator.spec.environment import Git
from reconciler.exitcode import ExitCode

_SOURCES = ("specs", "images.lock.yaml")


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="To a branch of its own, to be reviewed.")
    ] = False,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="Subject of the commit.")
    ] = None,
    forge: Annotated[
        Forge | None,
        typer.Option("--forge", help="What the Git server is, where its host does not tell; for the link."),
    ] = None,
    form: Output = Format.TEXT,
) -> int:
    """Render one environment, commit what changed in rendered/ and nothing else, and push it.

    The commit says what changed and carries the author of the specs. Never forces: where somebody else has
    pushed, the commit is put on top of theirs, once. With --pull-request it goes to a branch named after its
    content, together with the local commits that the remote lacks, and the checkout stays as it is.
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
        forge=forge,
    )
    _warn(GitRepository.open(root))
    if form is Format.JSON:
        output.emit(
            {
                "environment": place.name,
                "changed": list(published.changed),
                "commit": published.commit,
                "branch": published.branch,
                "compare_url": published.compare_url,
                "rebased": published.rebased,
                "existed": published.existed,
            }
        )
    else:
        _say(published)
    return ExitCode.CONVERGED


def _warn(repository: GitRepository) -> None:
    """What renders differently for whoever has the commit alone."""
    for path in _SOURCES:
        if not repository.is_clean([path]):
            output.note(
                f"{path} has changes that are not committed: what they render was published without them."
            )


def _say(published: Published) -> None:
    for path in published.changed:
        output.say(f"  {path}")
    if published.commit is None:
        output.say(f"Nothing to commit: {published.branch} holds what the specs render.")
    else:
        on_top = ", on top of what others pushed meanwhile" if published.rebased else ""
        output.say(f"Pushed {published.commit[:10]} to {published.branch}{on_top}.")
    if published.compare_url:
        output.say(f"Open the pull request: {published.compare_url}")


def _credentials(git: Git, root: Path) -> Credentials | None:
    if git.username is None or git.password is None:
        return None
    return Credentials(git.username.resolve(root), git.password.resolve(root))
