"""Images for real: a Docker engine builds them, a registry with a password keeps them, nobody runs them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from docker.errors import ImageNotFound

from generator.catalog import Workflow, load_catalog
from generator.images.base import fetch_base
from generator.images.build import PLATFORM, BuildOptions, build_image
from generator.images.context import context_files, wheel_files
from generator.images.errors import BuildError
from generator.images.events import ImageEvent, ImageEventKind
from generator.images.push import push_image
from generator.images.targets import SPEC_DIGEST, targets
from generator.project import load_project
from generator.spec.locks import LOCK_PATH
from generator.spec.resolve import resolve
from tests.end_to_end.world import Result, corespec, git
from tests.integration.images.conftest import Packages, Registries

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1200)]

CATALOG = {name: workflow for name, workflow in load_catalog().items() if workflow.builds_image}
BASE = "python:3.11-slim-bookworm"
NOBODY = "65534:65534"
BROKEN = f"""\
FROM {BASE}
WORKDIR /build
COPY requirements.txt ./
RUN cat requirements.txt && exit 3
"""
# Tries to write everywhere, and prints where it could.
WRITE = """
import pathlib, sys
for folder in sys.argv[1:]:
    try:
        pathlib.Path(folder, "probe").write_text("x")
    except OSError:
        continue
    print(folder)
"""


@dataclass(frozen=True)
class Project:
    """A project with one executable for each workflow, and the registry that its images go to."""

    root: Path
    registry: str

    def reference(self, workflow: str) -> str:
        """host/name:tag of the image of a workflow's executable."""
        return f"{self.registry}/{executable(workflow)}:0.0.1"

    def run(self, *words: str) -> Result:
        """Run the command line on the project."""
        return corespec(*words, "-C", self.root)

    def image(self, workflow: str) -> str:
        """The image that the rendered template runs."""
        path = self.root / "rendered" / "test" / "templates" / f"{executable(workflow)}.yaml"
        return str(_find(yaml.safe_load(path.read_text()), "image"))


def executable(workflow: str) -> str:
    """Name of the executable of a workflow."""
    return f"try-{workflow}"


def _find(node: Any, key: str) -> Any:
    """The first value of a key, however deep; templates that are texts (ServingTemplate) are read too."""
    if isinstance(node, str) and f"{key}:" in node:
        node = yaml.safe_load(node)
    if isinstance(node, dict) and key in node:
        return node[key]
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((found for child in children if (found := _find(child, key)) is not None), None)


def _write_project(root: Path, registry: str) -> Project:
    scenario = {
        "apiVersion": "corespec/v1",
        "kind": "Scenario",
        "metadata": {"name": "try-images", "title": "Images"},
        "executables": {
            executable(name): {
                "workflow": name,
                "image": f"{executable(name)}:0.0.1",
                "resourcePlan": "starter",
            }
            for name in CATALOG
        },
    }
    references = {
        key: f"env:CORESPEC_REGISTRY_{name}" for key, name in (("username", "USER"), ("password", "PASSWORD"))
    }
    environment = {
        "apiVersion": "corespec/v1",
        "kind": "Environment",
        "metadata": {"name": "test"},
        "aiCore": {"connection": "local"},
        "objectStores": {"default": {"type": "directory", "path": "objects"}},
        "docker": {"registry": registry, "secret": "acme", **references},
        "git": {"url": "../x.git", "repository": "images", "application": "images"},
    }
    (root / "specs" / "environments").mkdir(parents=True)
    (root / "specs" / "images.yaml").write_text(yaml.safe_dump(scenario))
    (root / "specs" / "environments" / "test.yaml").write_text(yaml.safe_dump(environment))
    git("init", "--quiet", cwd=root)
    project = Project(root, registry)
    assert project.run("render").code == 0
    git("add", "--all", cwd=root)
    git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", "Begin", cwd=root)
    return project


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, engine: Any, registries: Registries
) -> Iterator[Project]:
    """The project, rendered and committed. What was built for it is removed from the engine at the end."""
    before = {image["Id"] for image in engine.images()}
    root = tmp_path_factory.mktemp("project")
    yield _write_project(root, f"{registries.locked}/corespec-test-{secrets.token_hex(4)}")
    _clean(engine, before)


def _clean(engine: Any, before: set[str]) -> None:
    """Remove the images of these tests: those for the test registries, and the stages they came from."""
    for image in engine.images():
        names = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
        ours = [name for name in names if "/corespec-test-" in name]
        stage = (
            image["Id"] not in before
            and engine.inspect_image(image["Id"])["Config"]["WorkingDir"] == "/build"
        )
        for name in ours or ([image["Id"]] if stage else []):
            try:
                engine.remove_image(name, force=bool(ours))
            except ImageNotFound:
                continue  # went with its last name


@pytest.fixture(scope="module")
def built(project: Project, packages: Packages) -> Mapping[str, Any]:
    """All images, built by the command line with their bills of materials; the JSON rows by workflow."""
    if packages.wheels is None and "TORCH_INDEX_URL" not in packages.arguments:
        pytest.skip("needs torch for CPUs: its wheel in a folder of pip's find-links, or TORCH_INDEX_URL")
    bills = ["--sbom", str(project.root / "bills")] if find_spec("cyclonedx") else []
    result = project.run("image", "build", "-o", "json", *bills, *packages.options)
    assert result.code == 0, result.err
    rows = {row["executables"][0].removeprefix("try-"): row for row in result.document["images"]}
    assert rows.keys() == CATALOG.keys()
    return rows


@pytest.fixture(scope="module")
def pushed(project: Project, built: Mapping[str, Any]) -> Mapping[str, str]:
    """All images, pushed by the command line to the registry with a password; digest by workflow."""
    result = project.run("image", "push", "-o", "json")
    assert result.code == 0, result.err
    digests = {row["image"]: row["digest"] for row in result.document["images"]}
    return {name: digests[project.reference(name)] for name in CATALOG}


def _run(engine: Any, image: str, folders: list[str], **options: Any) -> tuple[int, str]:
    """Run an image as AI Core does: nobody, read-only, here without a network too; exit code and output."""
    writable = dict.fromkeys(folders, "uid=65534,gid=65534,mode=0755")
    container = engine.create_container(
        image,
        user=NOBODY,
        host_config=engine.create_host_config(read_only=True, network_mode="none", tmpfs=writable),
        **options,
    )
    try:
        engine.start(container)
        code = engine.wait(container, timeout=120)["StatusCode"]
        return code, engine.logs(container).decode()
    finally:
        engine.remove_container(container, force=True)


def _folders(workflow: Workflow) -> list[str]:
    return [port.path for port in [*workflow.inputs.values(), *workflow.outputs.values()]]


def test_the_rendered_templates_pass_lint(project: Project) -> None:
    """What the images are for is right before one is built."""
    result = project.run("render", "--check")
    assert result.code == 0, result.out
    found = corespec("lint", project.root / "rendered" / "test" / "templates")
    assert found.code == 0, found.out + found.err


def test_a_change_of_code_keeps_the_packages(
    project: Project, built: Mapping[str, Any], packages: Packages, engine: Any
) -> None:
    """The engine's own log says so: installing comes from the cache, copying the code does not."""
    environment = resolve(load_project(project.root, load_catalog()), "test", load_catalog())
    (target,) = targets(environment, [executable("object-detection-train")])
    files = context_files(project.root, target.recipe) | wheel_files(packages.wheels)
    files["trainer/changed.py"] = secrets.token_bytes(16)
    events: list[ImageEvent] = []
    reference = f"{project.registry}/changed:1"
    build_image(engine, reference, files, BuildOptions(dict(packages.arguments)), events.append)
    steps = {event.step: event.message for event in events if event.kind is ImageEventKind.STEP}
    cached = {steps[event.step] for event in events if event.kind is ImageEventKind.CACHED}
    assert [step for step in cached if step.startswith("RUN")] != []
    assert [step for step in cached if step.startswith("COPY --from=packages")] != []
    assert "COPY trainer/ ./trainer/" not in cached


@pytest.mark.parametrize("workflow", CATALOG)
def test_an_image_pulled_by_its_digest_prints_its_parameters_as_nobody(
    workflow: str, project: Project, pushed: Mapping[str, str], engine: Any, registries: Registries
) -> None:
    """From the spec to a container on a read-only root file system, without a network."""
    name = project.reference(workflow).rpartition(":")[0]
    image = f"{name}@{pushed[workflow]}"
    engine.remove_image(project.reference(workflow), force=True)
    engine.pull(image, auth_config=registries.credentials.auth())
    engine.tag(image, name, "0.0.1")
    code, said = _run(engine, image, _folders(CATALOG[workflow]))
    assert code == 0, said
    assert [name for name in CATALOG[workflow].parameters if name not in said] == []


@pytest.mark.parametrize("workflow", CATALOG)
def test_only_the_artifact_folders_can_be_written(
    workflow: str, project: Project, pushed: Mapping[str, str], engine: Any
) -> None:
    """Neither the code nor the packages nor /tmp: the root file system is read-only."""
    artifacts = _folders(CATALOG[workflow])
    tried = ["/", "/app", "/app/trainer", "/opt/packages", "/tmp", "/var/tmp", *artifacts]
    code, said = _run(
        engine, project.reference(workflow), artifacts, entrypoint=["python", "-c", WRITE], command=tried
    )
    assert (code, said.split()) == (0, artifacts)


@pytest.mark.parametrize("workflow", CATALOG)
def test_labels_lead_back_to_the_commit_and_the_spec(
    workflow: str, project: Project, built: Mapping[str, Any], engine: Any
) -> None:
    """OCI labels, and no trace of what installing needed."""
    found = engine.inspect_image(project.reference(workflow))
    labels = found["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == git("rev-parse", "HEAD", cwd=project.root).strip()
    assert labels["org.opencontainers.image.title"] == executable(workflow)
    assert labels["org.opencontainers.image.version"] == "0.0.1"
    assert labels["org.opencontainers.image.base.name"] == BASE
    assert labels[SPEC_DIGEST].startswith("sha256:")
    assert found["Config"]["User"] == NOBODY
    history = json.dumps(engine.history(project.reference(workflow)))
    assert not [word for word in ("INDEX_URL", "wheels", "find-links") if word in history]


@pytest.mark.parametrize("workflow", CATALOG)
def test_the_bill_of_materials_lists_what_computes(workflow: str, built: Mapping[str, Any]) -> None:
    """A valid CycloneDX document: torch where it trains, ONNX Runtime everywhere, the base's packages."""
    pytest.importorskip("cyclonedx", reason="needs cyclonedx-python-lib: pip install 'corespec[sbom]'")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = Path(built[workflow]["sbom"]).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    assert {"onnxruntime", "numpy", "bash", "python"} <= parts.keys()
    assert ("torch" in parts) == (CATALOG[workflow].kind == "training")


def test_pushing_locks_the_digest_and_rendering_writes_it(
    project: Project, pushed: Mapping[str, str], packages: Packages
) -> None:
    """The digest in images.lock.yaml is the registry's, and the template runs exactly that."""
    locked = yaml.safe_load((project.root / LOCK_PATH).read_text())["images"]
    assert locked == {project.reference(name): digest for name, digest in pushed.items()}
    assert project.run("image", "lock", "--check").code == 0
    assert project.run("render", "--check").code == 3
    assert project.run("render").code == 0
    for name, digest in pushed.items():
        assert project.image(name) == f"{project.reference(name)}@{digest}"
    again = project.run("image", "build", "-o", "json", *packages.options, executable("model-serving"))
    assert again.code == 0, again.err


def test_a_moved_tag_is_drift_until_it_is_locked_again(
    project: Project, pushed: Mapping[str, str], engine: Any, registries: Registries
) -> None:
    """--check names the old digest and the new one and ends with 3; `lock` accepts the new one."""
    reference = project.reference("batch-processing")
    name, _, tag = reference.rpartition(":")
    engine.tag(BASE, name, tag)
    (last,) = [
        line["aux"]["Digest"]
        for line in engine.push(
            name, tag, stream=True, decode=True, auth_config=registries.credentials.auth()
        )
        if "aux" in line
    ]
    assert last != pushed["batch-processing"]
    result = project.run("image", "lock", "--check")
    assert result.code == 3
    assert f"{reference}  moved\n  - {pushed['batch-processing']}\n  + {last}\n" in result.out
    states = {
        row["image"]: row["state"] for row in project.run("image", "lock", "-o", "json").document["images"]
    }
    assert states.pop(reference) == "moved"
    assert set(states.values()) == {"same"}
    assert project.run("image", "lock", "--check").code == 0


def test_a_wrong_password_is_refused_without_being_shown(
    project: Project, built: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a push and for a look; nothing is locked."""
    monkeypatch.setenv("CORESPEC_REGISTRY_PASSWORD", "not the password")
    for words in (["push", executable("model-serving")], ["lock"]):
        result = project.run("image", *words)
        assert result.code == 2
        assert "docker.username and docker.password" in result.err
        assert "not the password" not in result.out + result.err


def test_a_tag_that_was_never_pushed_cannot_be_locked(
    tmp_path: Path, engine: Any, registries: Registries
) -> None:
    """The registry answers, and says that there is none."""
    empty = _write_project(tmp_path / "empty", f"{registries.open}/corespec-test-none")
    result = empty.run("image", "lock")
    assert result.code == 2
    assert "corespec image push" in result.err
    assert not (empty.root / LOCK_PATH).exists()


def test_an_image_that_was_never_built_cannot_be_pushed(
    tmp_path: Path, engine: Any, registries: Registries
) -> None:
    """The SDK says nothing here; the stream does."""
    empty = _write_project(tmp_path / "empty", f"{registries.open}/corespec-test-none")
    result = empty.run("image", "push")
    assert result.code == 2
    assert "corespec image build" in result.err


def test_a_registry_that_is_away_is_a_failure_worth_a_retry(tmp_path: Path, engine: Any) -> None:
    """The refused connection arrives as a line of the stream; exit code 1."""
    away = _write_project(tmp_path / "away", "127.0.0.1:1/corespec-test-away")
    for name in CATALOG:
        engine.tag(BASE, f"{away.registry}/{executable(name)}", "0.0.1")
    try:
        assert (away.run("image", "push").code, away.run("image", "lock").code) == (1, 1)
    finally:
        for name in CATALOG:
            engine.remove_image(away.reference(name))


def test_a_base_behind_a_password_is_pulled_with_it(
    project: Project, engine: Any, registries: Registries
) -> None:
    """The builder alone is refused; after the pull with the environment's credentials it builds."""
    base = f"{project.registry}/python"
    engine.tag(BASE, base, "3.11")
    push_image(engine, f"{base}:3.11", registries.credentials)
    engine.remove_image(f"{base}:3.11")
    files = {"Dockerfile": f"FROM {base}:3.11\nWORKDIR /build\n".encode()}
    with pytest.raises(BuildError, match=r"docker\.bases"):
        build_image(engine, f"{project.registry}/based:1", files)
    fetch_base(engine, f"{base}:3.11", registries.credentials, PLATFORM)
    assert build_image(engine, f"{project.registry}/based:1", files).steps == 2


def test_a_failed_build_ends_with_the_log_of_what_failed(project: Project, engine: Any) -> None:
    """pip's own words, and no image left behind."""
    files = {
        "Dockerfile": BROKEN.encode(),
        "requirements.txt": b"the reason\n",
    }
    reference = f"{project.registry}/broken:1"
    with pytest.raises(BuildError, match=r"non-zero code: 3(.|\n)*\| the reason"):
        build_image(engine, reference, files)
    with pytest.raises(ImageNotFound):
        engine.inspect_image(reference)
