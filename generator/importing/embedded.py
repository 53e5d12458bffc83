"""The texts in a ServingTemplate, line by line: they are no YAML before AI Core has filled them."""

from __future__ import annotations

import re

from generator.importing.facts import INSTANCE, PLAN

#: A line that holds an image: head, quote, image.
IMAGE_LINE = re.compile(r"""^(\s*(?:- +)?image: +)(["']?)([^"'\s#]+)\2\s*$""")
#: A line that holds the machine.
MACHINE_LINE = re.compile(rf"""^\s*["']?(?:{re.escape(PLAN)}|{re.escape(INSTANCE)})["']?\s*:""")
_SECRET_LINE = re.compile(r"""^(\s*- +name: +)(["']?)([^"'\s#]+)\2\s*$""")


def embedded_image(text: str) -> str | None:
    """The image of a ServingTemplate's text: the first one on a line of its own."""
    found = (IMAGE_LINE.match(line) for line in text.split("\n"))
    return next((item[3] for item in found if item), None)


def embedded_secret(text: str) -> str | None:
    """The first pull secret of a ServingTemplate's text."""
    found = secret_line(text.split("\n"))
    return found[2] if found else None


def secret_line(lines: list[str]) -> tuple[int, str, str] | None:
    """Where the first pull secret stands: place of the line, what is before the name, the name."""
    for index, line in enumerate(lines):
        found = _SECRET_LINE.match(line)
        if found and index > 0 and lines[index - 1].strip() == "imagePullSecrets:":
            return index, found[1], found[3]
    return None


def embedded_machine(text: str) -> tuple[str, str] | None:
    """The machine label (key, value) of a ServingTemplate's text."""
    for line in text.split("\n"):
        if MACHINE_LINE.match(line):
            key, _, value = line.partition(":")
            return key.strip().strip("\"'"), value.strip().strip("\"'")
    return None
