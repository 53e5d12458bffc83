"""Templates that corespec rendered from random valid specs go back to specs that render to the same."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from generator.importing import import_files, write_import
from generator.importing.facts import Facts
from generator.project import load_project
from generator.render import render
from generator.spec.resolve import resolve
from tests.generator.importing.moving import template
from tests.properties.specs import CATALOG, Drawn, projects

EXAMPLES = 3
# Shrinking a whole project takes minutes; the first counterexample says enough.
FAST = (Phase.explicit, Phase.reuse, Phase.generate)


def rendered(drawn: Drawn) -> dict[str, bytes]:
    """Templates of the first environment: file name -> content."""
    with TemporaryDirectory() as folder:
        project = load_project(drawn.write(Path(folder), random.Random(0)), CATALOG)
        files = render(resolve(project, drawn.environments[0], CATALOG))
    return {Path(path).name: content for path, content in files.items() if "/templates/" in path}


def essence(document: dict[str, Any]) -> dict[str, Any]:
    """What AI Core and its users know a template by."""
    facts = Facts(document)
    return {
        "id": facts.metadata["name"],
        "labels": facts.metadata["labels"],
        "annotations": facts.annotations,
        "parameters": facts.parameters,
        "inputs": facts.inputs,
        "outputs": facts.outputs,
    }


@pytest.mark.parametrize("workflow", sorted(CATALOG))
@settings(max_examples=EXAMPLES, phases=FAST)
@given(data=st.data())
def test_what_was_rendered_is_rendered_again(workflow: str, data: st.DataObject) -> None:
    """Every template goes back to the workflow that it came from, and not one value is different."""
    templates = rendered(data.draw(projects(workflow)))
    with TemporaryDirectory() as folder:
        root, old = Path(folder) / "project", Path(folder) / "old"
        root.mkdir()
        old.mkdir()
        for name, content in templates.items():
            (old / name).write_bytes(content)
        result = import_files(root, [old / name for name in sorted(templates)])
        write_import(root, result)
        assert not (root / "catalog").exists()
        for name, content in templates.items():
            before = yaml.safe_load(content)
            after = template(root, name.removesuffix(".yaml"))
            assert essence(after) == essence(before)
            assert after == before


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("<%#>{}\\'\"\n\t: -"), max_size=60
)


@settings(max_examples=15, phases=FAST)
@given(script=WORDS.filter(lambda text: text.strip() and "{{" not in text), value=WORDS, label=WORDS)
def test_text_of_any_kind_survives_in_a_folder_of_one_s_own(script: str, value: str, label: str) -> None:
    """Scripts, values and descriptions that look like Jinja or YAML arrive as they were."""
    from tests.generator.importing.templates import PRICES

    document = yaml.safe_load(PRICES)
    step = document["spec"]["templates"][1]["container"]
    step["args"] = [script]
    step["env"].append({"name": "OTHER", "value": value.replace("{{", "")})
    document["spec"]["arguments"]["parameters"][0]["description"] = label.replace("{{", "")
    with TemporaryDirectory() as folder:
        root, path = Path(folder) / "project", Path(folder) / "old.json"
        root.mkdir()
        import json

        path.write_text(json.dumps(document))
        write_import(root, import_files(root, [path]))
        after = template(root, "prices-train")
    found = after["spec"]["templates"][1]["container"]
    assert (found["args"], found["env"][-1]) == (step["args"], step["env"][-1])
    parameters = document["spec"]["arguments"]["parameters"]
    assert after["spec"]["arguments"]["parameters"][0] == parameters[0]
