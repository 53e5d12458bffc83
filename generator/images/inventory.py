"""What is inside an image: its Python distributions and the Debian packages of its base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, ImageNotFound

from generator.images.engine import reachable
from generator.images.errors import ImageError, ImageMissingError

_SECONDS = 120
_LINES = 20
# Runs inside the image, with nothing but its own Python.
_SCRIPT = r"""
import importlib.metadata as metadata, json, platform, subprocess
python = [
    {
        "name": found.metadata["Name"],
        "version": found.version,
        "expression": found.metadata.get("License-Expression"),
        "license": found.metadata.get("License"),
        "classifiers": [c for c in found.metadata.get_all("Classifier", []) if c.startswith("License ::")],
    }
    for found in metadata.distributions()
]
try:
    query = ["dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n"]
    lines = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()
except FileNotFoundError:
    lines = []
try:
    release = platform.freedesktop_os_release()
except OSError:
    release = {}
system = [line.split("\t") for line in lines]
version = platform.python_version()
print(json.dumps({"python": python, "system": system, "release": release, "version": version}))
"""


class InventoryError(ImageError):
    """An image would not say what is inside it."""


@dataclass(frozen=True, order=True)
class Distribution:
    """A Python distribution; `licence` is what its metadata says, "" when it says nothing usable."""

    name: str
    version: str
    licence: str = ""


@dataclass(frozen=True, order=True)
class SystemPackage:
    """A Debian package of the base image."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True)
class Inventory:
    """What is inside an image: `id` and `created` are the engine's, `release` is such as `debian-12`, and
    `python` is the version of its interpreter.
    """

    image: str
    id: str
    created: str
    release: str
    python: str
    distributions: tuple[Distribution, ...]
    packages: tuple[SystemPackage, ...]


def take_inventory(client: Any, reference: str) -> Inventory:
    """Ask an image that the engine (a `docker.APIClient`) holds what is inside it.

    It runs its own Python as nobody, without a network and on a read-only file system. Raises
    ImageMissingError, InventoryError or EngineUnavailableError.
    """
    try:
        with reachable():
            found = client.inspect_image(reference)
            answer = _ask(client, reference)
    except ImageNotFound:
        raise ImageMissingError(
            f"there is no image {reference} here", remedy="Build it: `corespec image build`."
        ) from None
    except APIError as error:
        raise InventoryError(
            f"{reference} cannot be run: {error.explanation}", remedy="`python` must start in the image."
        ) from None
    return read_inventory(reference, str(found["Id"]), str(found["Created"]), answer)


def _ask(client: Any, reference: str) -> str:
    container = client.create_container(
        reference,
        entrypoint=["python", "-I", "-c", _SCRIPT],
        command=[],
        user="65534:65534",
        host_config=client.create_host_config(read_only=True, network_mode="none"),
    )
    try:
        client.start(container)
        code = client.wait(container, timeout=_SECONDS)["StatusCode"]
        said = client.logs(container, stdout=True, stderr=bool(code)).decode("utf-8", errors="replace")
    finally:
        client.remove_container(container, force=True)
    if code:
        last = "\n  | ".join(said.splitlines()[-_LINES:])
        raise InventoryError(
            f"{reference} ended with code {code} when asked what is inside:\n  | {last}",
            remedy="`python` must start in the image.",
        )
    return str(said)


def read_inventory(reference: str, image_id: str, created: str, answer: str) -> Inventory:
    """The image's own words as an Inventory, sorted and free of repeats."""
    content = json.loads(answer)
    release = content["release"]
    return Inventory(
        reference,
        image_id,
        created,
        f"{release['ID']}-{release['VERSION_ID']}" if {"ID", "VERSION_ID"} <= release.keys() else "",
        str(content["version"]),
        tuple(sorted({Distribution(i["name"], i["version"], licence(i)) for i in content["python"]})),
        tuple(sorted({SystemPackage(*item) for item in content["system"]})),
    )


def licence(metadata: Mapping[str, Any]) -> str:
    """The licence that a distribution declares: its SPDX expression, else one line of text, else classifiers.

    Some paste the whole licence into the field; that is no name.
    """
    if metadata["expression"]:
        return str(metadata["expression"])
    text = str(metadata["license"] or "").strip()
    if text and "\n" not in text and text.upper() != "UNKNOWN":
        return text
    return " / ".join(line.rpartition(" :: ")[2] for line in metadata["classifiers"])
