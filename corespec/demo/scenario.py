"""The two specs of a demo: its scenario and the place where it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from corespec.demo.dataset import Splits
from corespec.demo.workspace import Workspace

_SCENARIO = """\
# yaml-language-server: $schema=schema.json
# What shall be trained. Change a parameter, commit, push, and run `corespec reconcile --once`:
# the plan names what differs, and only then is anything trained again.
apiVersion: corespec/v1
kind: Scenario
metadata:
  name: {scenario}
  title: {title}
  version: 0.0.1
executables:
  {scenario}-detection:
    workflow: object-detection-train      # corespec catalog show object-detection-train
    image: docker.io/acme/detection:0.0.1 # the local AI Core runs its command on this machine instead
    resourcePlan: starter
datasets:
  pictures:
    source: {source}
    path: {scenario}/pictures
configurations:
  baseline:
    executable: {scenario}-detection
    inputs: {{datain: pictures}}
    parameters:
{parameters}
executions:
  baseline: {{configuration: baseline, want: 1, retries: 1}}
"""

_ENVIRONMENT = """\
# yaml-language-server: $schema=../schema.json
# Where it runs: the AI Core of this machine, which follows the branch `main` of {origin}.
apiVersion: corespec/v1
kind: Environment
metadata: {{name: local}}
aiCore:
  connection: local
  data: {data}
resourceGroup: default
objectStores:
  default: {{type: directory, path: {data}/objects/default}}
git:
  url: {origin}
  branch: main
  repository: gitops
  application: {scenario}
  publish: direct
policy: {{maxLaunchesPerApply: 3, maxConcurrent: 1}}
"""

#: Wall-clock minutes of training: drawn meters are learnt fast, photographs get the time of the floor.
DRAWN_MINUTES = "5"
OWN_MINUTES = "6"


def parameters(splits: Splits, *, own: bool) -> dict[str, str]:
    """The parameters as YAML spells them; `own` for a user's folder, which may hold faulty pictures."""
    values = {
        "train": splits.train,
        "validation": splits.validation,
        "test": splits.test,
        "batch_size": "16",
        "early_stopping": "false",
        "maximum_training_minutes": OWN_MINUTES if own else DRAWN_MINUTES,
        "maximum_training_steps": "5000",
        "evaluation_frequency": "200",
    }
    return values | ({"bad_data": "skip"} if own else {})


def scenario_text(place: Workspace, source: Path, values: Mapping[str, str]) -> str:
    """`specs/<scenario>.yaml`; the dataset is named relative to the project and used where it lies."""
    return _SCENARIO.format(
        scenario=place.scenario,
        title=place.scenario.replace("-", " ").capitalize(),
        source=_quoted(_relative(source, place.project)),
        parameters="\n".join(f"      {name}: {value}" for name, value in values.items()),
    )


def environment_text(place: Workspace) -> str:
    """`specs/environments/local.yaml`."""
    return _ENVIRONMENT.format(
        scenario=place.scenario,
        origin=_relative(place.origin, place.project),
        data=_relative(place.local, place.project),
    )


def _relative(path: Path, start: Path) -> str:
    return Path(os.path.relpath(path.resolve(), start.resolve())).as_posix()


def _quoted(text: str) -> str:
    """A path as a YAML scalar, whatever characters its folders bear."""
    return "'" + text.replace("'", "''") + "'"
