"""Random projects that are valid: every workflow of the catalogue, every optional field, many environments.

A project is drawn as plain data (`Drawn`) and written as a person could have written it: `Drawn.write` takes
a `random.Random` that chooses the order of files and keys, and how the YAML is spelled.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from generator.catalog import Workflow, load_catalog
from generator.spec.parameters import Parameter
from generator.spec.types import KNOWN_PLANS

Data = dict[str, Any]

CATALOG = load_catalog()
RUNNABLE = sorted(name for name, workflow in CATALOG.items() if workflow.kind != "serving")
#: Names that are prefixes of each other, and look alike to a careless comparison.
ENVIRONMENTS = ("dev", "dev-2", "dev-20", "d", "prod", "prod_eu")
REGISTRY = "registry.acme.example/vision"

_WORD = st.text("abcxyz0189", min_size=1, max_size=6)
_LETTERS = st.characters(categories=["L", "M", "N", "P", "S", "Zs"]).filter(str.isprintable)


def _speakable(text: str) -> bool:
    """Neither a variable of ours nor an expression of Argo's: both are refused, as other tests show."""
    return bool(text.strip()) and "${" not in text and "{{" not in text


lines = (
    st.text(_LETTERS, min_size=1, max_size=60) | st.text("aZ0 :#'\"{}[]&*!|>%@`\\-?,=~<", min_size=1)
).filter(_speakable)
prose = st.lists(lines, min_size=1, max_size=3).map("\n".join)
quantities = st.builds("{}{}".format, st.integers(1, 9999), st.sampled_from(["Mi", "Gi", "Ti"]))
durations = st.builds("{}{}".format, st.integers(1, 999), st.sampled_from(["s", "m", "h", "d"]))
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
secrets = st.builds("{}-{}".format, _WORD, _WORD)
tags = st.builds("{}.{}.{}".format, st.integers(0, 9), st.integers(0, 9), _WORD)
names = st.builds("{}-{}".format, _WORD, _WORD)
placed_images = st.builds(
    "{}/{}:{}".format, st.sampled_from(["docker.io/acme", "localhost:5000"]), _WORD, tags
)


def optional(**fields: SearchStrategy[Any]) -> SearchStrategy[Data]:
    """A mapping with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def joined(*parts: SearchStrategy[Data]) -> SearchStrategy[Data]:
    """Mappings as one."""
    return st.tuples(*parts).map(lambda drawn: {key: item for part in drawn for key, item in part.items()})


machines = st.fixed_dictionaries({"resourcePlan": st.sampled_from(KNOWN_PLANS)}) | st.fixed_dictionaries(
    {"instanceType": st.text("abcXYZ019", min_size=1, max_size=12)}
)
retries = joined(
    st.fixed_dictionaries({"limit": st.integers(1, 10)}),
    optional(
        policy=st.sampled_from(["Always", "OnFailure", "OnError", "OnTransientError"]),
        backoff=joined(
            st.fixed_dictionaries({"duration": durations}),
            optional(factor=st.integers(1, 10), maxDuration=durations),
        ),
    ),
)
scalings = st.tuples(st.integers(0, 5), st.integers(1, 5), st.none() | st.integers(1, 1000)).map(
    lambda drawn: {
        "minReplicas": min(drawn[0], drawn[1]),
        "maxReplicas": max(drawn[0], drawn[1], 1),
        **({"concurrency": drawn[2]} if drawn[2] else {}),
    }
)
labels = st.dictionaries(
    st.builds("ext.ai.sap.com/{}".format, names), st.text("abcXYZ019", max_size=20), max_size=3
)


@st.composite
def volumes(draw: DrawFn) -> Data:
    """Disks by name, each in a folder of its own."""
    return {
        name: {
            "size": draw(quantities),
            "mountPath": f"/scratch/{index}",
            **draw(optional(storageClass=st.sampled_from(["fast", "ssd.eu"]))),
        }
        for index, name in enumerate(draw(st.lists(names, min_size=1, max_size=2, unique=True)))
    }


def special_fields(workflow: Workflow) -> SearchStrategy[Data]:
    """Fields that only this kind of workflow takes."""
    if workflow.kind == "serving":
        return optional(scaling=scalings)
    return optional(sharedMemory=quantities, activeDeadline=durations, retry=retries, volumes=volumes())


@st.composite
def executables(draw: DrawFn, workflow: str) -> Data:
    """One executable of a workflow."""
    common = optional(
        imagePullSecret=secrets,
        gpu=st.booleans(),
        title=lines,
        description=prose,
    )
    image = draw(placed_images | st.builds("{}:{}".format, _WORD, tags))
    if "/" in image and draw(st.booleans()):
        image = f"{image}@{draw(digests)}"
    fields = joined(machines, common, special_fields(CATALOG[workflow]))
    return {"workflow": workflow, "image": image, **draw(fields)}


_BY_TYPE: dict[str, Callable[[Parameter], SearchStrategy[Any]]] = {
    "integer": lambda it: st.integers(int(it.minimum or 0), int(it.maximum or 10**6)),
    "number": lambda it: st.floats(float(it.minimum or 0), float(it.maximum or 1), allow_nan=False),
    "boolean": lambda it: st.booleans() | st.sampled_from(["yes", "no", "on", "OFF"]),
    "string": lambda it: st.sampled_from(it.choices) if it.choices else lines | st.just(""),
    "json": lambda it: st.lists(_WORD, max_size=4),
    "split": lambda it: st.floats(0.01, 0.2) | st.sampled_from(["", "part.txt", "a/b"]),
}


def parameters(workflow: Workflow) -> SearchStrategy[Data]:
    """Some of the workflow's parameters with values that they take."""
    return optional(**{name: _BY_TYPE[it.type](it) for name, it in workflow.parameters.items()})


@st.composite
def configurations(draw: DrawFn, executable: str, workflow: Workflow, datasets: Data) -> Data:
    """A configuration with its inputs bound to datasets, which are added to `datasets`."""
    inputs = {}
    for port, artifact in workflow.inputs.items():
        if artifact.required or draw(st.booleans()):
            inputs[port] = f"{port}-{artifact.kind}"
            datasets[inputs[port]] = {
                "kind": artifact.kind,
                "source": f"data/{port}",
                "path": f"some/{port}",
                **draw(optional(description=prose)),
            }
    made: Data = {"executable": executable, "inputs": inputs, "parameters": draw(parameters(workflow))}
    if draw(st.booleans()):
        free = [name for name, it in workflow.parameters.items() if it.type in {"integer", "number"}]
        for key in draw(st.lists(st.sampled_from(free), min_size=1, max_size=2, unique=True)):
            made["parameters"].pop(key, None)
            low = math.ceil(workflow.parameters[key].minimum or 0)
            high = int(workflow.parameters[key].maximum or 50)
            values = st.lists(st.integers(max(low, 0), max(low, min(high, 50))), min_size=1, unique=True)
            made.setdefault("matrix", {})[key] = draw(values)[:3]
    elif draw(st.booleans()):
        made["list"] = [
            {"batch_size": size} for size in draw(st.sets(st.integers(1, 64), min_size=1, max_size=3))
        ]
    return made if "batch_size" in workflow.parameters else {key: made[key] for key in made if key != "list"}


runs = optional(
    want=st.integers(0, 9),
    retries=st.integers(0, 5),
    timeout=durations,
    maxParallel=st.integers(1, 9),
    rerunAfter=st.just("2026-01-31T08:00:00Z"),
)


@st.composite
def scenarios(draw: DrawFn, number: int, workflow: str) -> Data:
    """One scenario with this workflow among its own, and one that runs, as AI Core demands of every one."""
    others = draw(st.lists(st.sampled_from(sorted(CATALOG)), max_size=2))
    chosen = [draw(st.sampled_from(RUNNABLE)), workflow, *others]
    named = {f"{draw(st.sampled_from('abc'))}{number}-{at}-exec": name for at, name in enumerate(chosen)}
    datasets: Data = {}
    made: Data = {"configurations": {}, "executions": {}, "deployments": {}}
    for at, (name, its) in enumerate(named.items()):
        if CATALOG[its].kind != "serving" and draw(st.booleans()):
            made["configurations"][f"c{at}"] = draw(configurations(name, CATALOG[its], datasets))
            made["executions"][f"e{at}"] = {"configuration": f"c{at}", **draw(runs)}
    writers = [
        f"e{at}"
        for at, its in enumerate(named.values())
        if any(port.kind == "model" for port in CATALOG[its].outputs.values())
    ]
    models = sorted(set(writers) & set(made["executions"]))
    for at, (name, its) in enumerate(named.items()):
        if CATALOG[its].kind == "serving" and models:
            best = {"of": models, "metric": "mAP/allClasses"}
            ports = {port: {"best": best} for port in CATALOG[its].inputs}
            made["deployments"][f"d{at}"] = {"executable": name, "inputs": ports}
    metadata = optional(
        title=lines, description=prose, version=st.sampled_from(["0.0.1", "1.2", "2026-01"]), labels=labels
    )
    return {
        "apiVersion": "corespec/v1",
        "kind": "Scenario",
        "metadata": {"name": f"{draw(_WORD)}-scenario-{number}", **draw(metadata)},
        "executables": {name: draw(executables(its)) for name, its in named.items()},
        "datasets": datasets,
        **made,
    }


@st.composite
def overrides(draw: DrawFn, scenario: Data) -> Data:
    """What an environment may change in a scenario."""
    changed: Data = {"executables": {}, "configurations": {}, "executions": {}}
    for name, item in scenario["executables"].items():
        if draw(st.booleans()):
            common = optional(image=placed_images, imagePullSecret=secrets, gpu=st.booleans())
            machine: SearchStrategy[Data] = st.just({}) | machines
            changed["executables"][name] = draw(
                joined(common, machine, special_fields(CATALOG[item["workflow"]]))
            )
    for name, item in scenario["configurations"].items():
        workflow = CATALOG[scenario["executables"][item["executable"]]["workflow"]]
        values = draw(parameters(workflow))
        kept = {key: value for key, value in values.items() if key not in item.get("matrix", {})}
        if kept:
            changed["configurations"][name] = {"parameters": kept}
    for name in scenario["executions"]:
        changed["executions"][name] = draw(optional(want=st.integers(0, 3), timeout=durations))
    return changed


@st.composite
def environments(draw: DrawFn, name: str, written: list[Data]) -> Data:
    """One environment with a registry, so that images may be bare."""
    docker = {"registry": REGISTRY, "secret": draw(secrets)}
    bases = optional(bases=optional(cpu=placed_images, gpu=placed_images))
    changed = {item["metadata"]["name"]: draw(overrides(item)) for item in written if draw(st.booleans())}
    return {
        "apiVersion": "corespec/v1",
        "kind": "Environment",
        "metadata": {"name": name},
        "aiCore": {"connection": "local"},
        "objectStores": {"default": {"type": "directory", "path": "objects"}},
        "docker": {**docker, **draw(bases)},
        "git": {"url": "../gitops.git", "repository": "gitops", "application": "vision"},
        "overrides": changed,
    }


@dataclass(frozen=True)
class Drawn:
    """A project as data: documents by path below its root."""

    documents: dict[str, Data]
    environments: tuple[str, ...]

    def write(self, root: Path, order: random.Random) -> Path:
        """Write the project below `root`, in an order and a spelling that `order` chooses."""
        for path in order.sample(sorted(self.documents), len(self.documents)):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(spelled(shuffled(self.documents[path], order), order), encoding="utf-8")
        return root


@st.composite
def projects(draw: DrawFn, workflow: str) -> Drawn:
    """One to two scenarios in one to two environments, some of their images locked."""
    written = [draw(scenarios(number, workflow)) for number in range(draw(st.integers(1, 2)))]
    places = draw(st.lists(st.sampled_from(ENVIRONMENTS), min_size=1, max_size=2, unique=True))
    documents = {f"specs/s{number}.yaml": item for number, item in enumerate(written)}
    documents |= {f"specs/environments/{name}.yaml": draw(environments(name, written)) for name in places}
    images = {item["image"] for scenario in written for item in scenario["executables"].values()}
    locked = sorted(image if "/" in image else f"{REGISTRY}/{image}" for image in images if "@" not in image)
    if draw(st.booleans()):
        documents["images.lock.yaml"] = {
            "apiVersion": "corespec/v1",
            "kind": "ImageLock",
            "images": {image: draw(digests) for image in locked},
        }
    return Drawn(documents, tuple(sorted(places)))


def shuffled(value: Any, order: random.Random) -> Any:
    """The same data with the keys of every mapping in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, order)) for key, item in value.items()]
        return dict(order.sample(items, len(items)))
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def spelled(document: Data, order: random.Random) -> str:
    """YAML in block or flow style, or JSON; all of them mean the same."""
    if order.random() < 0.2:
        return json.dumps(document, ensure_ascii=False)  # YAML has no surrogate pairs
    return yaml.safe_dump(
        document,
        sort_keys=False,
        default_flow_style=order.choice([True, False, None]),
        allow_unicode=order.random() < 0.5,
        width=order.choice([40, 4096]),
    )
