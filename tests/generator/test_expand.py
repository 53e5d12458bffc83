"""Families of configurations: addresses are made of values, so adding a value renames nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from generator.catalog import load_catalog
from generator.spec.document import Configuration
from generator.spec.expand import MAX_ADDRESS, expand
from generator.spec.findings import Findings
from generator.spec.reader import Positions

PARAMETERS = load_catalog()["object-detection-train"].parameters
rates = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=4, unique=True)
sizes = st.lists(st.integers(1, 64), min_size=1, max_size=4, unique=True)


def children(**fields: Any) -> Mapping[str, Mapping[str, str]]:
    """Address -> parameters of the family of one configuration; no finding is allowed."""
    findings = Findings("a.yaml", Positions())
    configuration = Configuration.model_validate({"executable": "digit-detection", **fields})
    result = {child.address: child.values for child in expand("sweep", configuration, PARAMETERS, findings)}
    assert findings.items == []
    return result


def test_a_configuration_without_a_family_keeps_its_name_and_gets_every_default() -> None:
    (only,) = children(parameters={"seed": 7}).items()
    assert only[0] == "sweep"
    assert set(only[1]) == set(PARAMETERS)
    assert only[1]["seed"] == "7"
    assert only[1]["base_learning_rate"] == "0.002"


def test_a_matrix_gives_every_combination_under_its_values() -> None:
    family = children(matrix={"base_learning_rate": [0.001, 3e-4], "batch_size": [8]})
    assert list(family) == [
        "sweep.base_learning_rate-0.001.batch_size-8",
        "sweep.base_learning_rate-0.0003.batch_size-8",
    ]


def test_list_entries_lie_over_the_parameters_and_join_the_matrix() -> None:
    family = children(parameters={"seed": 1}, matrix={"batch_size": [8]}, list=[{"seed": 2}, {"weights": ""}])
    assert family["sweep.seed-2"]["seed"] == "2"
    assert family["sweep.batch_size-8"]["seed"] == "1"
    assert len(family) == 3


def test_values_that_no_name_can_hold_end_in_a_hash() -> None:
    """Two long or odd values never fall together, and no address is empty at its end."""
    family = children(
        list=[
            {"group_pattern": "x" * 100},
            {"group_pattern": "x" * 101},
            {"group_pattern": "^(ä)"},
            {"weights": ""},
        ]
    )
    assert len(family) == 4
    assert all(address.isascii() and not address.endswith("-") for address in family)


def test_an_address_longer_than_ai_core_takes_is_a_finding() -> None:
    findings = Findings("a.yaml", Positions())
    names = ["train", "validation", "test", "weights", "group_pattern", "class_names", "image_types"]
    entry = {name: ["z" * 60] if PARAMETERS[name].type == "json" else "z" * 60 for name in names}
    configuration = Configuration.model_validate({"executable": "digit-detection", "list": [entry]})
    (child,) = expand("sweep", configuration, PARAMETERS, findings)
    assert len(child.address) > MAX_ADDRESS
    assert [item.code for item in findings.items] == ["too-long"]


@given(rates, sizes, st.randoms())
def test_order_and_growth_of_a_matrix_rename_nothing(rate: list[float], size: list[int], random: Any) -> None:
    """The family of a part is part of the family, in any order of values and keys."""
    whole = children(matrix={"base_learning_rate": rate, "batch_size": size})
    shuffled = children(
        matrix={"batch_size": random.sample(size, len(size)), "base_learning_rate": rate[::-1]}
    )
    part = children(matrix={"base_learning_rate": rate[:-1] or rate, "batch_size": size})
    assert dict(whole) == dict(shuffled)
    assert part.items() <= whole.items()
