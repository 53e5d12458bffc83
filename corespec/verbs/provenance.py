"""`corespec provenance`: what a model was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from corespec import output
from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import session
from reconciler.ancestry import ancestry
from reconciler.clock import SystemClock
from reconciler.exitcode import ExitCode
from reconciler.provenance import Facts, statement


def run(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS|ID",
            help="An execution or its id, an artifact's id, or `deployment/…`: the model that it serves.",
        ),
    ],
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    hashes: Annotated[
        bool, typer.Option("--hashes/--no-hashes", help="Read the model's files and hash them.")
    ] = True,
    form: Output = Format.TEXT,
) -> int:
    """Say which commit, spec, data, image and template a model was made from, with what, when, and how good.

    Computed from AI Core and Git each time; nothing is stored for it. -o json is an in-toto statement with
    the predicate of SLSA provenance. What nobody can tell is said, not guessed.
    """
    place = session(directory, environment, catalog)
    facts = ancestry(place.root, place.environment, catalog or (), SystemClock(), name, hashes=hashes)
    if form is Format.JSON:
        output.emit({"kind": "Provenance", **statement(facts)})
    else:
        _print(facts)
    return ExitCode.CONVERGED


def _print(facts: Facts) -> None:
    predicate = statement(facts)["predicate"]
    rows = [
        ("execution", f"{facts.execution.id} {facts.execution.status}"),
        ("served by", f"{facts.deployment.id} {facts.deployment.url}" if facts.deployment else ""),
        ("configuration", f"{facts.configuration.name} {'(adopted)' if facts.adopted else ''}".strip()),
        ("spec", f"{facts.spec.path} at {facts.spec.commit[:10]}" if facts.spec else ""),
        ("template", f"{facts.template.path} at {facts.template.commit[:10]}" if facts.template else ""),
        *((item["name"], _dependency(item)) for item in _others(predicate)),
        *((f"parameter {name}", value) for name, value in sorted(facts.configuration.parameters.items())),
        *(
            (f"{name} on {split}", f"{value:g}")
            for split, values in predicate["corespec_metrics"].items()
            for name, value in values.items()
        ),
        *(("output", one.url) for one in facts.outputs),
        *(("unknown", one) for one in facts.unknown),
    ]
    width = max(len(title) for title, _ in rows)
    for title, value in rows:
        if value:
            output.say(f"{title.ljust(width)}  {value}")


def _others(predicate: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = predicate["buildDefinition"]["resolvedDependencies"]
    return [item for item in found if item["name"] not in {"spec", "template"}]


def _dependency(item: dict[str, Any]) -> str:
    digests = (f"{kind}:{value}" for kind, value in item["digest"].items())
    return " ".join([item["uri"], *digests])
