"""What is changed in a template on purpose, so that AI Core accepts it; each change is a row of the account.

Nothing here changes what runs: numbers become the texts that they are spelled as, defaults are written out.
"""

from __future__ import annotations

import copy
import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from generator.importing.facts import ARTIFACTS, INSTANCE, PLAN, Facts, containers, listed, machine_of
from generator.importing.identity import DEFAULT_VERSION, EXECUTABLE, VERSION
from generator.importing.images import complete, has_host
from generator.importing.model import Account
from generator.spec.scalars import SourceFloat, SourceInt, spelled

SHELL = ["/bin/sh", "-c"]
DEFAULT_PLAN = "starter"
_IMAGE_LINE = re.compile(r"""^([ \t]*(?:- +)?image: +)(["']?)([^"'\s#]+)\2[ \t]*$""", re.MULTILINE)
_OLD_CONTAINER = re.compile(r"""^([ \t]*(?:- +)?name: +["']?)kfserving-container\b""", re.MULTILINE)
_TEXT_REASON = "AI Core takes texts only"


def mended(document: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """A copy of a template with everything spelled as AI Core wants it."""
    result = _plain(copy.deepcopy(document), account)
    _names(result, account)
    facts = Facts(result)
    if facts.serving:
        _serving(result, account)
    else:
        _kinds(facts, account)
        _paths(facts, account)
        _machines(facts, account)
        _images(facts, account)
        _commands(facts, account)
    return result


def _plain(document: Mapping[str, Any], account: Account) -> dict[str, Any]:
    """Plain data; labels, annotations, parameter values and variables as text, spelled as in the file."""
    facts = Facts(document)
    for key in ("labels", "annotations"):
        section = facts.metadata.get(key)
        if isinstance(section, dict):
            _texts(section, list(section), f"metadata.{key}.", account)
    for item in facts.parameters:
        _texts(item, ["default", "value"], f"parameter {item.get('name')}: ", account)
    for _, template in facts.runners:
        for _, container in containers(template):
            for item in listed(container, "env"):
                _texts(item, ["value"], f"variable {item.get('name')}: ", account)
    result: dict[str, Any] = _unspelled(document)
    return result


def _texts(section: dict[str, Any], keys: list[str], subject: str, account: Account) -> None:
    for key in keys:
        value = section.get(key)
        if isinstance(value, bool | int | float):
            section[key] = str(value).lower() if isinstance(value, bool) else str(spelled(value))
            account.changed(f"{subject}{key}", section[key], f'"{section[key]}"', _TEXT_REASON)


def _unspelled(value: Any) -> Any:
    """Numbers without the spelling that the reader keeps; one that no float can hold becomes its text."""
    if isinstance(value, dict):
        return {key: _unspelled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unspelled(item) for item in value]
    if isinstance(value, SourceInt):
        return int(value)
    if isinstance(value, SourceFloat):
        return float(value) if math.isfinite(value) else value.text
    return value


def _names(document: dict[str, Any], account: Account) -> None:
    """Names for people are mandatory; the id stands for one that is missing."""
    metadata = document["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    metadata |= {"labels": labels, "annotations": annotations}
    fallbacks = {
        "scenarios.ai.sap.com/name": labels.get("scenarios.ai.sap.com/id"),
        "executables.ai.sap.com/name": metadata.get("name"),
    }
    if not labels.get(VERSION):
        labels[VERSION] = DEFAULT_VERSION
        account.changed(f"label {VERSION}", "", DEFAULT_VERSION, "AI Core needs a version")
    for key, value in fallbacks.items():
        if not annotations.get(key) and value:
            annotations[key] = value
            account.changed(f"annotation {key}", "", str(value), "AI Core wants a name for people")
    for key in [key for key, value in annotations.items() if value in ("", None)]:
        del annotations[key]
        account.dropped(f"annotation {key}", "", "it is empty")
    if EXECUTABLE in labels:
        reason = "AI Core sets it on pods; the executable id is the template's name"
        account.dropped(f"label {EXECUTABLE}", str(labels.pop(EXECUTABLE)), reason)


def _kinds(facts: Facts, account: Account) -> None:
    annotations = facts.annotations
    for port in [*facts.inputs.values(), *facts.outputs.values()]:
        if port.kind is None:
            key = f"{ARTIFACTS}{port.name}.kind"
            annotations[key] = "model"
            reason = "what AI Core takes for granted; say `dataset` in the old file where it is one"
            account.changed(f"annotation {key}", "", "model", reason)


def _paths(facts: Facts, account: Account) -> None:
    for template in facts.templates:
        for side in ("inputs", "outputs"):
            for item in listed(template.get(side), "artifacts"):
                path = item.get("path")
                if isinstance(path, str) and path.endswith("/") and len(path) > 1 and "{{" not in path:
                    item["path"] = path.rstrip("/")
                    reason = "the same folder, spelled one way"
                    account.changed(f"path of {item.get('name')}", path, item["path"], reason)


def _machines(facts: Facts, account: Account) -> None:
    """Every template that runs a container says on what machine."""
    usual = facts.machine or (PLAN, DEFAULT_PLAN)
    for _, template in facts.runners:
        if machine_of(template) is None:
            metadata = template.get("metadata") or {}
            template["metadata"] = {
                **metadata,
                "labels": {usual[0]: usual[1], **(metadata.get("labels") or {})},
            }
            subject = f"machine of {template.get('name')}"
            account.changed(subject, "", usual[1], "AI Core wants a resource plan or instance type")


def _images(facts: Facts, account: Account) -> None:
    for _, template in facts.runners:
        for _, container in containers(template):
            image = container.get("image")
            if isinstance(image, str) and image and _lacks_host(image):
                container["image"] = complete(image)
                _host_added(image, account)


def _host_added(image: str, account: Account) -> None:
    reason = "AI Core wants the registry host; this is the one that Docker meant"
    account.changed("image", image, complete(image), reason)


def _commands(facts: Facts, account: Account) -> None:
    """A command in words becomes the same command behind `/bin/sh -c`, where no `{{…}}` is pasted into it."""
    for _, template in facts.runners:
        for _, container in containers(template):
            command, arguments = container.get("command"), container.get("args") or []
            if "source" in container or not isinstance(command, list) or not isinstance(arguments, list):
                continue
            words = [*command, *arguments]
            shell = command == SHELL and len(arguments) == 1
            if shell or not all(isinstance(word, str) and "{{" not in word for word in words):
                continue
            container["command"], container["args"] = list(SHELL), [f"exec {shlex.join(words)}"]
            reason = "the same program: AI Core's rule is `/bin/sh -c` and one line"
            account.changed(f"command of {template.get('name')}", " ".join(command), "/bin/sh -c", reason)


def _serving(document: dict[str, Any], account: Account) -> None:
    """The texts of a ServingTemplate, one line at a time: what AI Core fills in is no YAML yet."""
    template = document["spec"]["template"]
    metadata = {key: text for key, text in (template.get("metadata") or {}).items() if text is not None}
    template["metadata"] = {
        key: _lines(text) if isinstance(text, str) else text for key, text in metadata.items()
    }
    labels = template["metadata"].get("labels") or ""
    if PLAN not in labels and INSTANCE not in labels:
        template["metadata"]["labels"] = f"{PLAN}: {DEFAULT_PLAN}\n{labels}"
        account.changed("machine", "", DEFAULT_PLAN, "AI Core wants a resource plan or instance type")
    text = _lines(template["spec"])
    for image in dict.fromkeys(found[2] for found in _IMAGE_LINE.findall(text)):
        if _lacks_host(image):
            _host_added(image, account)
    text = _IMAGE_LINE.sub(_hosted, text)
    if _OLD_CONTAINER.search(text):
        text = _OLD_CONTAINER.sub(r"\1kserve-container", text)
        reason = "KServe's name for it since 0.7"
        account.changed("container name", "kfserving-container", "kserve-container", reason)
    template["spec"] = text


def _lacks_host(image: str) -> bool:
    return "{{" not in image and not has_host(image)


def _hosted(line: re.Match[str]) -> str:
    image = complete(line[3]) if _lacks_host(line[3]) else line[3]
    return f"{line[1]}{line[2]}{image}{line[2]}"


def _lines(text: str) -> str:
    """A text without blanks at the ends of its lines, ending in one line feed."""
    return "\n".join(line.rstrip() for line in text.expandtabs().strip("\n").split("\n")) + "\n"
