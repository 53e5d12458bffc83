"""What has to be read before `--prune` may take anything away: the other environments, and Git's history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from generator.project import load_project, project_catalog
from generator.spec.environment import Environment
from reconciler.bindings import bind
from reconciler.commits import specs_at
from reconciler.connection import credentials
from reconciler.errors import AuthenticationError, InputRejectedError
from reconciler.gitops import Checkout
from reconciler.lastwords import last_words
from reconciler.live import Live
from reconciler.prune import Permission, Pruning, unwanted
from reconciler.workbench import Bench


def look_back(
    bench: Bench, live: Live, git: Checkout, catalog: Sequence[Path], allowed: Permission, gone: int
) -> Pruning:
    """Ask the history of the specs about everything that they want no more.

    `gone`: how much this apply has taken away already. Raises InputRejectedError where another environment
    may want what this one does not.
    """
    check_alone(bench.environment, bench.root, catalog)
    things = unwanted(bind(bench.desired.ordered(), live), live)
    if not things:
        return Pruning(allowed, gone=gone)
    name = bench.environment.metadata.name
    specs = partial(specs_at, git, root=bench.root, environment=name, catalog=catalog)
    return Pruning(allowed, last_words(things, bench.resolved, git, specs), gone)


def check_alone(environment: Environment, root: Path, catalog: Sequence[Path]) -> None:
    """Refuse two environments of the project in one resource group: what is there could be the other's.

    One whose credentials are not on this machine counts as elsewhere unless it names the same ones.
    """
    others = load_project(root, project_catalog(root, catalog)).environments.values()
    for other in others:
        if other.metadata.name != environment.metadata.name and _same_place(environment, other, root):
            raise InputRejectedError(
                f"--prune: environments {environment.metadata.name} and {other.metadata.name} share resource "
                f"group {environment.resource_group} of one AI Core, so what one does not want may be the "
                "other's.",
                remedy="Give each environment a resource group of its own, or delete by hand.",
            )


def _same_place(one: Environment, other: Environment, root: Path) -> bool:
    if one.resource_group != other.resource_group:
        return False
    if one.ai_core == other.ai_core:
        return True
    try:
        here, there = credentials(one, root), credentials(other, root)
    except AuthenticationError:
        return False
    # Tenants of one region share the address of the API, and not that of the token endpoint.
    return (here.base_url, here.arguments["auth_url"]) == (there.base_url, there.arguments["auth_url"])
