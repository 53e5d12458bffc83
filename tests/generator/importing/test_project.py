"""An import writes a project that is valid, or nothing; what a person wrote is never rewritten."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from generator.errors import GeneratorError, InputError
from generator.importing import import_files, write_import
from generator.init import init_project
from generator.project import load_project, project_catalog
from tests.generator.importing.moving import TUTORIAL, config, imported, refused, snapshot, template
from tests.generator.importing.templates import GREETING, PRICES, SERVER

Write = Callable[[str, str], Path]
SPEC = "specs/sap-cv-package-tutorial.yaml"
ENVIRONMENT = "specs/environments/local.yaml"


def test_an_empty_folder_becomes_a_project(root: Path, write: Write) -> None:
    """With an environment, a schema for editors, and the gate of a pull request."""
    result = imported(root, write("c.yaml", config()))
    assert sorted(result.files) == [
        ".github/workflows/corespec.yaml",
        ".gitignore",
        ".gitlab-ci.yml",
        "README.md",
        ENVIRONMENT,
        SPEC,
        "specs/schema.json",
    ]
    assert set(result.files) == set(snapshot(root))
    place = load_project(root, project_catalog(root)).environments["local"]
    assert place.docker is not None
    assert (place.docker.registry, place.docker.secret) == ("docker.io/kim", "kim-docker")


def test_files_that_are_there_stay_as_they_are(root: Path, write: Write) -> None:
    (root / "README.md").write_text("mine")
    (root / ".gitignore").write_text("*.pyc\n")
    imported(root, write("c.yaml", config()))
    assert (root / "README.md").read_text() == "mine"
    assert (root / ".gitignore").read_text() == "*.pyc\n"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://kim:secret@git.example.com/acme/digits.git", "https://git.example.com/acme/digits.git"),
        ("git@git.example.com:acme/digits.git", "git@git.example.com:acme/digits.git"),
        (None, "../sap-cv-package-tutorial.git"),
    ],
)
def test_the_environment_names_the_remote_without_its_token(
    root: Path, write: Write, url: str | None, expected: str
) -> None:
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    if url:
        subprocess.run(["git", "remote", "add", "origin", url], cwd=root, check=True)
    result = import_files(root, [write("c.yaml", config())])
    environment = result.files[ENVIRONMENT].decode()
    assert yaml.safe_load(environment)["git"]["url"] == expected
    assert b"secret@" not in b"".join(result.files.values())


def test_an_image_without_pull_secret_brings_no_registry(root: Path, write: Write) -> None:
    """Otherwise the environment's pull secret would be put into a template that had none."""
    imported(root, write("c.yaml", config(imagePullSecret=None)))
    assert "docker" not in yaml.safe_load((root / ENVIRONMENT).read_text())
    assert "imagePullSecrets" not in template(root, TUTORIAL["name"])["spec"]


def test_several_files_of_one_scenario_make_one_spec(root: Path, write: Write) -> None:
    first = write("a.yaml", config(name="digits-obj-detection", parameters={"train": 0.7}))
    second = write("b.yaml", config(name="digits-batch", parameters={"batch_size": 4}))
    result = imported(root, first, second)
    spec = yaml.safe_load((root / SPEC).read_text())
    assert list(spec["executables"]) == ["digits-obj-detection", "digits-batch"]
    assert list(spec["configurations"]) == ["imported", "imported-2"]
    assert spec["datasets"]["modelin"]["kind"] == "model"
    assert result.scenarios == ("sap-cv-package-tutorial",)
    template(root, "digits-batch")


def test_scenarios_of_their_own_make_specs_of_their_own(root: Path, write: Write) -> None:
    result = imported(root, write("a.yaml", GREETING), write("b.yaml", PRICES), write("c.yaml", config()))
    assert result.scenarios == ("learning", "prices", "sap-cv-package-tutorial")
    assert {path.name for path in (root / "specs").glob("*.yaml")} == {
        "learning.yaml",
        "prices.yaml",
        "sap-cv-package-tutorial.yaml",
    }


def test_files_that_contradict_each_other_are_refused(root: Path, write: Write) -> None:
    """A scenario has one version and one title."""
    labels = {**TUTORIAL["labels"], "ai.sap.com/version": "2"}
    first, second = (
        write("a.yaml", config(name="a-batch")),
        write("b.yaml", config(name="b-batch", labels=labels)),
    )
    with pytest.raises(InputError) as caught:
        import_files(root, [first, second])
    (found,) = caught.value.diagnostics
    assert "the scenario's version is `2` here and `0.0.1` in " in found.message


def test_one_id_for_two_executables_is_refused(root: Path, write: Write) -> None:
    first, second = write("a.yaml", config()), write("b.yaml", config(image="kim/other:1"))
    assert refused(root, first, second) == ["duplicate-executable"]
    assert refused(root, first, second, name="some-name") == ["several-files"]


def test_an_executable_is_added_to_a_spec_that_is_there(root: Path, write: Write) -> None:
    """As lines; what a person wrote, comments and all, stays."""
    imported(root, write("a.yaml", config()))
    before = (root / SPEC).read_text().replace("executables:\n", "executables:  # ours\n  # the first\n")
    (root / SPEC).write_text(before)
    result = imported(root, write("b.yaml", config(name="digits-batch", parameters={"batch_size": 4})))
    assert sorted(result.files) == [SPEC]
    after = iter((root / SPEC).read_text().splitlines())
    assert all(line in after for line in before.splitlines())
    template(root, "digits-batch")
    template(root, TUTORIAL["name"])


def test_where_lines_cannot_be_added_they_are_printed(root: Path, write: Write) -> None:
    imported(root, write("a.yaml", config()))
    spec = yaml.safe_load((root / SPEC).read_text())
    (root / SPEC).write_text("# mine\n" + json.dumps(spec))
    path = write("b.yaml", config(name="digits-batch"))
    with pytest.raises(InputError) as caught:
        import_files(root, [path])
    (found,) = caught.value.diagnostics
    assert (found.path, found.code) == (SPEC, "cannot-insert")
    assert (
        "add this yourself:\nexecutables:\n  digits-batch:\n    workflow: batch-processing\n" in found.message
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {**TUTORIAL["labels"], "ai.sap.com/version": "9"}},
        {"labels": {**TUTORIAL["labels"], "ext.ai.sap.com/team": "red"}},
        {"annotations": {"scenarios.ai.sap.com/name": "Another"}},
    ],
)
def test_a_spec_that_says_otherwise_is_not_overruled(
    root: Path, write: Write, changes: dict[str, object]
) -> None:
    imported(root, write("a.yaml", config()))
    assert refused(root, write("b.yaml", config(name="digits-batch", **changes))) == ["contradiction"]


def test_a_second_import_of_the_same_file_is_refused(root: Path, write: Write) -> None:
    path = write("a.yaml", config())
    imported(root, path)
    assert refused(root, path) == ["duplicate-executable"]


def test_a_file_in_the_way_is_not_overwritten(root: Path, write: Write) -> None:
    (root / "catalog/prices-train").mkdir(parents=True)
    (root / "catalog/prices-train/workflow.yaml").write_text("mine")
    assert refused(root, write("p.yaml", PRICES)) == ["file-exists"]


def test_the_catalogue_folder_is_named_by_an_environment_that_is_there(root: Path, write: Write) -> None:
    init_project(root, "bottle-caps")
    before = (root / ENVIRONMENT).read_text()
    imported(root, write("p.yaml", PRICES))
    assert (root / ENVIRONMENT).read_text() == before + 'catalog: ["catalog"]\n'
    imported(root, write("s.yaml", SERVER))
    assert set(project_catalog(root)) >= {"prices-train", "prices-server"}


def test_an_environment_that_cannot_name_it_is_told(root: Path, write: Write) -> None:
    init_project(root, "bottle-caps")
    (root / "mine" / "nothing").mkdir(parents=True)
    with (root / ENVIRONMENT).open("a") as file:
        file.write("catalog: [mine]\n")
    with pytest.raises(InputError, match=r"local\.yaml:1:1: cannot-insert: .*add that folder to `catalog:`"):
        import_files(root, [write("p.yaml", PRICES)])


def test_a_workflow_never_takes_the_name_of_a_built_in_one(root: Path, write: Write) -> None:
    imported(root, write("p.yaml", PRICES.replace("name: prices-train", "name: batch-processing")))
    assert template(root, "batch-processing")["spec"]["entrypoint"] == "flow"
    assert (root / "catalog/own-batch-processing/workflow.yaml").is_file()


def test_the_environment_s_pull_secret_is_told(root: Path, write: Write) -> None:
    """It is put into a template that had none, when the image comes from the environment's registry."""
    imported(root, write("a.yaml", config()))
    text = PRICES.replace("  imagePullSecrets: [{name: kim-docker}, {name: mirror}]\n", "")
    result = imported(root, write("p.yaml", text))
    (row,) = [row for row in result.rows if row.subject == "spec.imagePullSecrets"]
    assert (row.outcome.value, row.reason) == (
        "changed",
        "the environment's docker.secret, because the image comes from its registry",
    )


def test_a_project_with_faults_of_its_own_takes_no_import(root: Path, write: Write) -> None:
    init_project(root, "bottle-caps")
    (root / "specs/broken.yaml").write_text("apiVersion: corespec/v1\nkind: Scenario\nmetadata: {name: x}\n")
    with pytest.raises(InputError, match=r"specs/broken\.yaml:3:18: "):
        import_files(root, [write("c.yaml", config())])


def test_nothing_is_half_written(root: Path, write: Write) -> None:
    """Where one file cannot be written, those written before it are taken back."""
    imported(root, write("a.yaml", config()))
    result = import_files(root, [write("p.yaml", PRICES)])
    (root / "specs/prices.yaml").mkdir()
    before = snapshot(root)
    with pytest.raises(GeneratorError, match="nothing is imported: "):
        write_import(root, result)
    assert snapshot(root) == before


def test_links_do_not_lead_an_import_out_of_the_project(root: Path, write: Write, tmp_path: Path) -> None:
    result = import_files(root, [write("p.yaml", PRICES)])
    (tmp_path / "outside").mkdir()
    (root / "catalog").symlink_to(tmp_path / "outside")
    with pytest.raises(GeneratorError, match="leads out of the project folder"):
        write_import(root, result)
    assert list((tmp_path / "outside").iterdir()) == []
