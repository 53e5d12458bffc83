"""One whole look for drift: the branch, AI Core, the stores, and the registry where it is asked for.

Everything is read through ports that cannot write.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from generator.images.engine import Engine
from generator.spec.environment import Environment
from reconciler.clock import Clock
from reconciler.commits import Specs, specs_at
from reconciler.connection import connect_readonly
from reconciler.drift import drift
from reconciler.drift_model import Drift, ImageState
from reconciler.gitops import Checkout
from reconciler.ignoring import read_ignores, sort_out
from reconciler.observe import observe
from reconciler.survey import survey
from reconciler.workbench import equip, read_specs


def find_drift(
    root: Path, name: str, catalog: Sequence[Path], clock: Clock, engine: Engine | None = None
) -> Drift:
    """Compare an environment with what the specs of its branch's head ask for; `engine`: ask for images too.

    Raises InputError, RepositoryError, ImageError and ReconcilerError.
    """
    entries = read_ignores(root, clock.now().date())
    git = Checkout(root, read_specs(root, name, catalog).environment)
    git.fetch()
    commit = git.branch_head()
    specs = partial(specs_at, git, root=root, environment=name, catalog=catalog)
    wanted = specs(commit)
    bench = equip(wanted.resolved, root, clock)
    aicore = connect_readonly(bench.environment, root, clock)
    live = observe(aicore, bench.desired, bench.stores, git, clock)
    seen = survey(
        aicore,
        bench.desired,
        live,
        git,
        commit=commit,
        rendered=bench.rendered,
        manifests=bench.manifests,
        stores=bench.stores,
        specs=specs,
        images=_images(engine, wanted, bench.environment, root),
    )
    findings, ignored, unused = sort_out(drift(bench.desired, live, seen), entries)
    return Drift(name, commit, live.observed_at, findings, ignored, unused, engine is not None)


def _images(
    engine: Engine | None, specs: Specs, environment: Environment, root: Path
) -> tuple[ImageState, ...]:
    """Ask the registry for each tag that is used and locked. Raises ImageError where it cannot say."""
    if engine is None:
        return ()
    from generator.images.errors import TagNotFoundError  # these load the SDK of Docker
    from generator.images.registry import credentials_for, remote_digest
    from generator.images.targets import lockable

    found = []
    for reference in lockable(specs.resolved):
        if (digest := specs.locks.get(reference)) is None:
            continue  # nothing was locked that could have moved
        credentials = credentials_for(reference, environment.docker, root)
        try:
            now: str | None = remote_digest(engine, reference, credentials)
        except TagNotFoundError:
            now = None
        found.append(ImageState(reference, digest, now))
    return tuple(found)
