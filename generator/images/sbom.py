"""A software bill of materials (CycloneDX 1.6, JSON): what an image's licences and flaws are looked up by.

Needs the extra `sbom` (cyclonedx-python-lib).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from generator.images.errors import ImageError
from generator.images.inventory import Distribution, Inventory, SystemPackage
from generator.images.requirements import normalized, parse_lock
from generator.version import TOOL, tool_version

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

_NAMESPACE = uuid.UUID("5cb0c2b4-5d3b-4f0f-9a2b-6d1f7f0f7a55")  # of our serial numbers alone


class SbomUnavailableError(ImageError):
    """The library that writes bills of materials is not installed."""


def wheel_hashes(requirements: str) -> dict[str, str]:
    """Package -> SHA-256 of its wheel, where the lock leaves no choice between several."""
    return {normalized(pin.name): pin.hashes[0] for pin in parse_lock(requirements) if len(pin.hashes) == 1}


def bill_of_materials(inventory: Inventory, hashes: Mapping[str, str]) -> str:
    """The bill of an image as JSON text; the same image gives the same text.

    `hashes` maps normalized names of packages to the SHA-256 of their wheels. Raises SbomUnavailableError.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError:
        raise SbomUnavailableError(
            "no bill of materials can be written: cyclonedx-python-lib is not installed",
            remedy="Install it: `pip install 'corespec[sbom]'`.",
        ) from None
    name, _, tag = inventory.image.rpartition(":")
    image = Component(type=ComponentType.CONTAINER, name=name, version=tag, bom_ref=inventory.id)
    tool = Component(type=ComponentType.APPLICATION, name=TOOL, version=tool_version())
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, inventory.id),
        components=[*_python(inventory, hashes), *_system(inventory)],
        metadata=BomMetaData(component=image, tools=[], timestamp=_moment(inventory.created)),
    )
    bom.metadata.tools.components.add(tool)
    bom.register_dependency(image, bom.components)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _moment(text: str) -> datetime:
    """The engine's date, which has nanoseconds."""
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)


def _python(inventory: Inventory, hashes: Mapping[str, str]) -> Iterator[Component]:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    yield Component(
        type=ComponentType.PLATFORM,
        name="python",
        version=inventory.python,
        purl=PackageURL("generic", name="python", version=inventory.python),
        bom_ref=f"python@{inventory.python}",
    )
    licences = LicenseFactory()
    for item in inventory.distributions:
        known = hashes.get(normalized(item.name))
        yield Component(
            type=ComponentType.LIBRARY,
            name=item.name,
            version=item.version,
            purl=PackageURL("pypi", name=normalized(item.name), version=item.version),
            bom_ref=_reference("pypi", item),
            licenses=[licences.make_from_string(item.licence)] if item.licence else [],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=known)] if known else [],
        )


def _system(inventory: Inventory) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    vendor = inventory.release.partition("-")[0] or "debian"
    for item in inventory.packages:
        qualifiers = {"arch": item.architecture}
        if inventory.release:
            qualifiers["distro"] = inventory.release
        yield Component(
            type=ComponentType.LIBRARY,
            name=item.name,
            version=item.version,
            purl=PackageURL("deb", vendor, item.name, item.version, qualifiers),
            bom_ref=_reference("deb", item),
        )


def _reference(kind: str, item: Distribution | SystemPackage) -> str:
    return f"{kind}:{item.name}@{item.version}"
