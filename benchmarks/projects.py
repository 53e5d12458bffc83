"""Projects of any size, written as a user would write them."""

from __future__ import annotations

import json
from pathlib import Path

ENVIRONMENT = "bench"
PER_SCENARIO = 250  # executables in one spec file
RUNS_PER_SCENARIO = 10_000  # configurations in one: a file holds at most 200,000 values


def write_environment(root: Path, *, git_url: str = "../gitops.git", data: str = ".corespec/local") -> None:
    """Write `specs/environments/bench.yaml`: a local AI Core and a folder as the object store."""
    folder = root / "specs" / "environments"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{ENVIRONMENT}.yaml").write_text(
        f"""apiVersion: corespec/v1
kind: Environment
metadata: {{name: {ENVIRONMENT}}}
aiCore: {{connection: local, data: {data}}}
resourceGroup: default
objectStores:
  default: {{type: directory, path: {data}/objects/default}}
git: {{url: {json.dumps(git_url)}, branch: main, repository: gitops, application: bench, publish: direct}}
"""
    )


def write_executables(root: Path, count: int) -> None:
    """Write `count` executables over as many scenarios as keep the files readable."""
    for number, first in enumerate(range(0, count, PER_SCENARIO)):
        lines = [
            "apiVersion: corespec/v1",
            "kind: Scenario",
            f"metadata: {{name: bench-{number}, title: Bench {number}, version: 0.0.1}}",
            "executables:",
        ]
        for index in range(first, min(first + PER_SCENARIO, count)):
            lines.append(f"  detect-{index:05}:")
            lines.append("    workflow: object-detection-train")
            lines.append(f"    image: docker.io/acme/detect-{index:05}:0.0.1")
            lines.append("    imagePullSecret: acme-docker")
            lines.append("    resourcePlan: train.l")
        _write(root, f"bench-{number}", "\n".join(lines) + "\n")


def write_runs(root: Path, count: int, *, executions: bool, only_first: bool = False) -> None:
    """Write `count` configurations, with an execution for each if wanted, over as many scenarios as specs of
    a legal size need; each scenario has one executable and the same data. `only_first`: of every scenario.
    """
    for number, first in enumerate(range(0, count, RUNS_PER_SCENARIO)):
        last = first + 1 if only_first else min(first + RUNS_PER_SCENARIO, count)
        _write_scenario(root, f"bench-{number}", range(first, last), executions=executions)


def _write_scenario(root: Path, scenario: str, numbers: range, *, executions: bool) -> None:
    head = f"""apiVersion: corespec/v1
kind: Scenario
metadata: {{name: {scenario}, title: Bench, version: 0.0.1}}
executables:
  {scenario}-detect:
    workflow: object-detection-train
    image: docker.io/acme/detect:0.0.1
    resourcePlan: train.l
datasets:
  digits: {{source: data/digits, path: bench/digits}}
configurations:
"""
    split = "train: 0.8, validation: 0.1, test: 0.1"
    names = {number: f"run-{number:05}" for number in numbers}
    lines = [
        f"  {name}: {{executable: {scenario}-detect, inputs: {{datain: digits}}, "
        f"parameters: {{seed: {number}, {split}}}}}"
        for number, name in names.items()
    ]
    if executions:
        lines += ["executions:", *(f"  {name}: {{configuration: {name}}}" for name in names.values())]
    _write(root, scenario, head + "\n".join(lines) + "\n")


def _write(root: Path, name: str, text: str) -> None:
    (root / "specs").mkdir(parents=True, exist_ok=True)
    (root / "specs" / f"{name}.yaml").write_text(text)
