"""The bill of materials: valid, complete, the same for the same image, and honest about licences."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from generator.images.inventory import Inventory, licence, read_inventory
from generator.images.requirements import Pin, lock_text
from generator.images.sbom import SbomUnavailableError, bill_of_materials, wheel_hashes

ANSWER = {
    "python": [
        {
            "name": "torch",
            "version": "2.13.0+cpu",
            "expression": "BSD-3-Clause",
            "license": None,
            "classifiers": [],
        },
        {
            "name": "ml_dtypes",
            "version": "0.6.0",
            "expression": None,
            "license": "Apache-2.0",
            "classifiers": [],
        },
        {
            "name": "sap-ai-sdk-base",
            "version": "3.4.0",
            "expression": None,
            "license": "SAP",
            "classifiers": [],
        },
        {
            "name": "torch",
            "version": "2.13.0+cpu",
            "expression": "BSD-3-Clause",
            "license": None,
            "classifiers": [],
        },
    ],
    "system": [["bash", "5.2.15-2+b13", "amd64"]],
    "release": {"ID": "debian", "VERSION_ID": "12"},
    "version": "3.11.2",
}
LOCK = lock_text(
    [
        Pin("ml-dtypes", "0.6.0", ("a" * 64,)),
        Pin("torch", "2.13.0+cpu", ("b" * 64, "c" * 64)),
    ]
)


@pytest.fixture
def inventory() -> Inventory:
    """What an image said about itself."""
    created = "2026-11-22T18:51:15.123456789Z"
    return read_inventory("docker.io/acme/digits:0.0.1", f"sha256:{'d' * 64}", created, json.dumps(ANSWER))


@pytest.fixture
def bill(inventory: Inventory) -> dict[str, Any]:
    """Its bill as data."""
    pytest.importorskip("cyclonedx", reason="needs cyclonedx-python-lib: pip install 'corespec[sbom]'")
    document: dict[str, Any] = json.loads(bill_of_materials(inventory, wheel_hashes(LOCK)))
    return document


def test_the_bill_obeys_the_schema_of_cyclonedx(inventory: Inventory) -> None:
    """Version 1.6, checked strictly: unknown fields are errors."""
    pytest.importorskip("cyclonedx", reason="needs cyclonedx-python-lib: pip install 'corespec[sbom]'")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = bill_of_materials(inventory, wheel_hashes(LOCK))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert json.loads(text)["specVersion"] == "1.6"


def test_the_bill_names_every_part_once(bill: dict[str, Any]) -> None:
    """Distributions, the interpreter and the packages of the base, each with the address for scanners."""
    assert sorted(part["purl"] for part in bill["components"]) == [
        "pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64&distro=debian-12",
        "pkg:generic/python@3.11.2",
        "pkg:pypi/ml-dtypes@0.6.0",
        "pkg:pypi/sap-ai-sdk-base@3.4.0",
        "pkg:pypi/torch@2.13.0%2Bcpu",
    ]
    assert bill["metadata"]["component"]["name"] == "docker.io/acme/digits"
    assert bill["metadata"]["component"]["version"] == "0.0.1"


def test_licences_and_hashes_are_told_where_they_are_known(bill: dict[str, Any]) -> None:
    """SPDX ids as ids, other words as names; a lock that leaves two wheels open gives no hash."""
    parts = {part["name"]: part for part in bill["components"]}
    assert parts["torch"]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert parts["sap-ai-sdk-base"]["licenses"] == [{"license": {"name": "SAP"}}]
    assert parts["ml_dtypes"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert "hashes" not in parts["torch"]


def test_the_same_image_has_the_same_bill(inventory: Inventory) -> None:
    """Dates and serial number come from the image, not from the clock."""
    pytest.importorskip("cyclonedx", reason="needs cyclonedx-python-lib: pip install 'corespec[sbom]'")
    first, second = (bill_of_materials(inventory, {}) for _ in range(2))
    assert first == second
    assert json.loads(first)["metadata"]["timestamp"] == "2026-11-22T18:51:15+00:00"


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "told"),
    [
        ("MIT", "Apache-2.0", [], "MIT"),
        (None, "BSD License", ["License :: OSI Approved :: MIT License"], "BSD License"),
        (None, "Copyright (c) 2008\nAll rights …", ["License :: OSI Approved :: BSD License"], "BSD License"),
        (None, "UNKNOWN", [], ""),
        (None, None, ["License :: A", "License :: B"], "A / B"),
    ],
)
def test_a_licence_is_one_line(
    expression: str | None, text: str | None, classifiers: list[str], told: str
) -> None:
    """Some packages paste the whole text into the field: their classifiers say it better."""
    assert licence({"expression": expression, "license": text, "classifiers": classifiers}) == told


def test_a_base_that_names_no_release_is_no_reason_to_fail() -> None:
    """A minimal base has neither os-release nor dpkg."""
    answer = json.dumps({"python": [], "system": [], "release": {}, "version": "3.11.9"})
    found = read_inventory("r/x:1", "sha256:0", "2026-01-01T00:00:00Z", answer)
    assert (found.release, found.packages, found.python) == ("", (), "3.11.9")


def test_without_the_library_the_remedy_is_its_extra(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bill is optional, and so is what writes it."""
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(SbomUnavailableError, match=r"corespec\[sbom\]"):
        bill_of_materials(inventory, {})
