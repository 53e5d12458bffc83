"""Fingerprints: order and words for people never enter, everything a run depends on does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.fingerprint import configuration_fingerprint, manifest_fingerprint, template_fingerprint

words = st.text(max_size=8)
entries = st.lists(st.tuples(words, st.integers(0, 2**40), words), max_size=6, unique_by=lambda item: item[0])
COSMETIC: dict[str, Callable[[dict[str, Any]], Any]] = {
    "title": lambda t: t["metadata"]["annotations"].update({"executables.ai.sap.com/name": "Other"}),
    "scenario description": lambda t: t["metadata"]["annotations"].pop("scenarios.ai.sap.com/description"),
    "version": lambda t: t["metadata"]["labels"].update({"ai.sap.com/version": "9"}),
    "label": lambda t: t["metadata"]["labels"].update({"ext.ai.sap.com/team": "x"}),
    "parameter default": lambda t: t["spec"]["arguments"]["parameters"][6].update({"default": "13"}),
    "pull secret": lambda t: t["spec"].pop("imagePullSecrets"),
}
RETRAIN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "image": lambda t: t["spec"]["templates"][1]["container"].update({"image": "docker.io/a/b:2"}),
    "command": lambda t: t["spec"]["templates"][1]["container"].update({"args": ["true"]}),
    "environment": lambda t: t["spec"]["templates"][1]["container"]["env"].pop(),
    "plan": lambda t: t["spec"]["templates"][1]["metadata"]["labels"].update(
        {"ai.sap.com/resourcePlan": "basic"}
    ),
    "artifact path": lambda t: t["spec"]["templates"][1]["inputs"]["artifacts"][0].update({"path": "/tmp/x"}),
}


@pytest.mark.parametrize("change", COSMETIC)
def test_what_people_read_keeps_the_fingerprint(change: str, template: dict[str, Any]) -> None:
    before = template_fingerprint(copy.deepcopy(template))
    COSMETIC[change](template)
    assert template_fingerprint(template) == before


@pytest.mark.parametrize("change", RETRAIN)
def test_what_a_run_depends_on_changes_the_fingerprint(change: str, template: dict[str, Any]) -> None:
    before = template_fingerprint(copy.deepcopy(template))
    RETRAIN[change](template)
    assert template_fingerprint(template) != before


@given(st.dictionaries(words, words, max_size=6), st.dictionaries(words, words, max_size=3), st.randoms())
def test_order_of_maps_does_not_matter(
    parameters: dict[str, str], inputs: dict[str, str], random: Any
) -> None:
    def shuffled(values: dict[str, str]) -> dict[str, str]:
        items = list(values.items())
        random.shuffle(items)
        return dict(items)

    first = configuration_fingerprint(executable="e", template="t", parameters=parameters, inputs=inputs)
    again = configuration_fingerprint(
        executable="e", template="t", parameters=shuffled(parameters), inputs=shuffled(inputs)
    )
    assert first == again
    assert len(first) == 64


@given(st.dictionaries(words, words, min_size=1, max_size=4))
def test_values_do_not_slip_between_parameters_and_inputs(values: dict[str, str]) -> None:
    """The same pairs as parameters or as inputs are two configurations; so are the executable and the
    template.
    """
    as_parameters = configuration_fingerprint(executable="a", template="b", parameters=values, inputs={})
    as_inputs = configuration_fingerprint(executable="a", template="b", parameters={}, inputs=values)
    swapped = configuration_fingerprint(executable="b", template="a", parameters=values, inputs={})
    assert len({as_parameters, as_inputs, swapped}) == 3


@given(entries, st.randoms())
def test_a_manifest_is_a_set_of_files(files: list[tuple[str, int, str]], random: Any) -> None:
    before = manifest_fingerprint(files)
    random.shuffle(files)
    assert manifest_fingerprint(iter(files)) == before
    assert manifest_fingerprint([*files, ("another file", 1, "0")]) != before


def test_fingerprints_of_this_version_never_change() -> None:
    """A change here renames every configuration of every user: raise HASH_VERSION and write a migration
    first.
    """
    fingerprint = configuration_fingerprint(
        executable="digit-detection",
        template="0" * 64,
        parameters={"seed": "1337"},
        inputs={"datain": "1" * 64},
    )
    assert fingerprint == "3e7822eda7017eb33e9b4ea1c8d11f3d6891e6e135e1e0fd57b16216d054d44e"
