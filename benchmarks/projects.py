"""Projects of any size, written as a user would write them."""

from __future__ import annotations

import json
from pathlib import Path

ENVIRONMENT = "bench"
PER_SCENARIO = 250  # executables in one spec file


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


def write_runs(root: Path, count: int, *, executions: bool) -> None:
    """Write one executable, one dataset and `count` configurations; with an execution for each if wanted."""
    head = """apiVersion: corespec/v1
kind: Scenario
metadata: {name: bench, title: Bench, version: 0.0.1}
executables:
  bench-detect: {workflow: object-detection-train, image: docker.io/acme/detect:0.0.1, resourcePlan: train.l}
datasets:
  digits: {source: data/digits, path: bench/digits}
configurations:
"""
    split = "train: 0.8, validation: 0.1, test: 0.1"
    names = [f"run-{index:05}" for index in range(count)]
    lines = [
        f"  {name}: {{executable: bench-detect, inputs: {{datain: digits}}, "
        f"parameters: {{seed: {index}, {split}}}}}"
        for index, name in enumerate(names)
    ]
    if executions:
        lines += ["executions:", *(f"  {name}: {{configuration: {name}}}" for name in names)]
    _write(root, "bench", head + "\n".join(lines) + "\n")


def _write(root: Path, name: str, text: str) -> None:
    (root / "specs").mkdir(parents=True, exist_ok=True)
    (root / "specs" / f"{name}.yaml").write_text(text)
