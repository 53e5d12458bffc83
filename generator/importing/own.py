"""A workflow folder of the user's own: the old template with `<< … >>` where a spec decides. Pure.

Whatever is not decided by a spec stands there as it was: steps, commands, volumes, further labels. Text that
Jinja would take for its own is put between `raw` and `endraw`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from generator.emit import emit
from generator.importing.facts import ARTIFACTS, INSTANCE, PLAN, Facts, Port, containers, machine_of
from generator.importing.identity import ANNOTATIONS, OWN_PREFIX, SCENARIO, VERSION, misfit
from generator.importing.model import Account, OwnWorkflow
from generator.spec.findings import Findings
from generator.spec.model import API_VERSION
from generator.spec.parameters import Parameter, UnfitValueError, canonical
from generator.spec.types import KNOWN_PLANS, DockerSecretName, ParameterName, Text

TEMPLATE = "template.yaml.j2"
_ID, _IMAGE, _SECRET = "<< executable.id >>", "<< executable.image >>", "<< executable.image_pull_secret >>"
_JINJA = re.compile(r"<[<%#]")
_TOKEN = "importedxplacex"  # noqa: S105 - no secret: a word that stands for a place
_EMBEDDED_IMAGE = re.compile(r"""^(\s*(?:- +)?image: +)(["']?)([^"'\s#]+)\2\s*$""")
_EMBEDDED_PLAN = re.compile(rf"""^\s*["']?(?:{re.escape(PLAN)}|{re.escape(INSTANCE)})["']?\s*:""")
_EMBEDDED_SECRET = re.compile(r"""^(\s*- +name: +)(["']?)([^"'\s#]+)\2\s*$""")
_LOOP = "<% for key, value in {pairs} %>"
_ANNOTATION_PAIRS = 'annotations if not key.startswith("artifacts.ai.sap.com/")'


def own_workflow(
    name: str, document: Mapping[str, Any], description: str, findings: Findings, account: Account
) -> OwnWorkflow:
    """The folder for a mended template. What cannot be expressed is noted in `findings`."""
    facts = Facts(document)
    files = {
        "workflow.yaml": _workflow_yaml(name, facts, description, findings, account),
        TEMPLATE: _template(facts, findings),
    }
    return OwnWorkflow(name, files)


# -- workflow.yaml


def _workflow_yaml(name: str, facts: Facts, description: str, findings: Findings, account: Account) -> str:
    title = facts.annotations.get("executables.ai.sap.com/name") or name
    document = {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": {"name": name, "title": title, "description": description},
        "type": facts.kind,
        "inputs": _ports(facts, facts.inputs),
        "outputs": _ports(facts, facts.outputs),
        "parameters": _parameters(facts, findings, account),
    }
    head = (
        "# Imported: every parameter is text. The defaults stand in template.yaml.j2 too; keep both equal.\n"
    )
    return head + emit({key: value for key, value in document.items() if value not in ({}, [])})


def _ports(facts: Facts, ports: Mapping[str, Port]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, port in ports.items():
        description = facts.annotations.get(f"{ARTIFACTS}{name}.description", "")
        found[name] = {"path": port.path, "kind": port.kind or "model"}
        if description and misfit(Text, description) is None:
            found[name]["description"] = description
    return found


def _parameters(facts: Facts, findings: Findings, account: Account) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, item in enumerate(facts.parameters):
        name, default = str(item.get("name")), item.get("default", item.get("value"))
        trouble = misfit(ParameterName, name)
        if trouble:
            findings.add((*facts.parameters_at, index, "name"), "parameter-name", f"`{name}` {trouble}")
            continue
        description = str(item.get("description") or "")
        entry = {
            "type": "string",
            "default": str(default or ""),
            "description": description if misfit(Text, description) is None else "",
            "origin": "corespec",
        }
        reason = _unfit(name, entry)
        if reason:
            account.dropped(
                f"parameter {name}", entry["default"], f"stays as it is in the template: {reason}"
            )
            continue
        found[name] = entry
        account.carried(f"parameter {name}", entry["default"] or '""')
        if default is None:
            reason = "the old template has no default: every configuration has to give it"
            account.changed(f"default of {name}", "", '""', reason)
    return found


def _unfit(name: str, entry: Mapping[str, Any]) -> str | None:
    try:
        canonical(Parameter(name=name, **{**entry, "default": ""}), entry["default"])
    except UnfitValueError as error:
        return f"its default {error}"
    return None


# -- template.yaml.j2


def _template(facts: Facts, findings: Findings) -> str:
    document = copy.deepcopy(dict(facts.document))
    places = _Places()
    metadata = document["metadata"]
    metadata["name"] = places.inline(_ID)
    metadata["labels"] = places.block(_pairs("labels"), _rest(metadata["labels"], _is_label))
    metadata["annotations"] = places.block(
        _pairs(_ANNOTATION_PAIRS), _rest(metadata["annotations"], ANNOTATIONS.__contains__)
    )
    if facts.serving:
        _embed(document["spec"]["template"], places, findings)
    else:
        _machines(document, facts, places)
        document["spec"] = _with_secrets(document["spec"], facts, places)
    lines = [line for text in emit(document).rstrip("\n").split("\n") for line in places.filled(text)]
    head = ["<# Imported. << … >> is what specs decide; the rest stands as it was. #>"]
    return "\n".join([*head, *lines]) + "\n"


def _is_label(key: str) -> bool:
    return key in {SCENARIO, VERSION} or key.startswith(OWN_PREFIX)


def _rest(section: Mapping[str, Any], decided: Any) -> dict[str, Any]:
    return {key: value for key, value in section.items() if not decided(key)}


def _pairs(pairs: str) -> list[str]:
    return [_LOOP.format(pairs=pairs), "  << key >>: << value >>", "<% endfor %>"]


def _machines(document: dict[str, Any], facts: Facts, places: _Places) -> None:
    """The image and the machine of most containers; those of other containers stay."""
    for index, template in facts.runners:
        target = document["spec"]["templates"][index]
        if machine_of(template) == facts.machine and is_decidable(facts.machine):
            labels = _rest(template["metadata"]["labels"], {PLAN, INSTANCE}.__contains__)
            target["metadata"]["labels"] = places.block(_pairs("machine_labels"), labels)
        for _, container in containers(target):
            if container.get("image") == facts.image:
                container["image"] = places.inline(_IMAGE)


def is_decidable(machine: tuple[str, str] | None) -> bool:
    """Whether a spec can name the machine; one that a parameter chooses stays in the template."""
    return (
        machine is not None
        and "{{" not in machine[1]
        and (machine[0] == INSTANCE or machine[1] in KNOWN_PLANS)
    )


def _with_secrets(spec: dict[str, Any], facts: Facts, places: _Places) -> dict[str, Any]:
    """The pull secret of the spec first, further ones behind it; one that no spec can name stays."""
    if facts.pull_secrets and misfit(DockerSecretName, facts.pull_secrets[0]):
        return spec
    others = list(spec.get("imagePullSecrets") or [])[1:]
    guarded = ["<% if executable.image_pull_secret %>", f"  - name: {_SECRET}", "<% endif %>"]
    if others:
        secrets = places.block(guarded, others)
        return {**spec, "imagePullSecrets": secrets}
    whole = ["<% if executable.image_pull_secret %>", "KEY:", f"  - name: {_SECRET}", "<% endif %>"]
    rest = {key: value for key, value in spec.items() if key != "imagePullSecrets"}
    return {"imagePullSecrets": places.block(whole, None), **rest}


def _embed(template: dict[str, Any], places: _Places, findings: Findings) -> None:
    """The three texts of a ServingTemplate, with the same places in them."""
    metadata = template["metadata"]
    if isinstance(metadata.get("annotations"), str):
        metadata["annotations"] = places.text(metadata["annotations"].rstrip("\n").split("\n"))
    labels = metadata["labels"].rstrip("\n").split("\n")
    kept = [line for line in labels if line and not _EMBEDDED_PLAN.match(line)]
    first = next((line for line in labels if line.strip()), "")
    loop = _LOOP.format(pairs="machine_labels"), f"{_blanks(first)}<< key >>: << value >>", "<% endfor %>"
    metadata["labels"] = places.text(kept, before=loop)
    lines = template["spec"].rstrip("\n").split("\n")
    image = embedded_image(template["spec"])
    if image is None or len(kept) == len([line for line in labels if line]):
        message = "write `image:` and the resource plan on lines of their own, so that a spec can decide them"
        findings.add(("spec", "template"), "cannot-import", message)
        return
    secret = embedded_secret(template["spec"])
    for index, line in enumerate(lines):
        found = _EMBEDDED_IMAGE.match(line)
        if found and found[3] == image:
            lines[index] = places.inside(found[1], _IMAGE)
        held = _EMBEDDED_SECRET.match(line)
        if held and secret and held[3] == secret and _after_secrets(lines, index):
            lines[index] = places.inside(held[1], f"<< executable.image_pull_secret or {_quoted(secret)} >>")
    template["spec"] = places.text(lines)


def embedded_image(text: str) -> str | None:
    """The image of a ServingTemplate's text: the first one on a line of its own."""
    found = (_EMBEDDED_IMAGE.match(line) for line in text.split("\n"))
    return next((item[3] for item in found if item), None)


def embedded_secret(text: str) -> str | None:
    """The first pull secret of a ServingTemplate's text."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        found = _EMBEDDED_SECRET.match(line)
        if found and _after_secrets(lines, index):
            return found[3]
    return None


def embedded_machine(text: str) -> tuple[str, str] | None:
    """The machine label (key, value) of a ServingTemplate's text."""
    for line in text.split("\n"):
        if _EMBEDDED_PLAN.match(line):
            key, _, value = line.partition(":")
            return key.strip().strip("\"'"), value.strip().strip("\"'")
    return None


def _after_secrets(lines: list[str], index: int) -> bool:
    return index > 0 and lines[index - 1].strip() == "imagePullSecrets:"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Places:
    """Words that stand for a place while the rest is written as YAML."""

    def __init__(self) -> None:
        self._inline: dict[str, str] = {}
        self._blocks: dict[str, tuple[list[str], Any]] = {}
        self._texts: dict[str, list[str]] = {}

    def inline(self, expression: str) -> str:
        """A place for one value."""
        word = self._word()
        self._inline[word] = expression
        return word

    def block(self, lines: list[str], rest: Any) -> str:
        """A place for lines that stand below a key (`KEY:` for the key itself), and for data behind them."""
        word = self._word()
        self._blocks[word] = (lines, rest)
        return word

    def inside(self, head: str, expression: str) -> str:
        """A line of a text that ends in a place."""
        return head + self.inline(expression)

    def text(self, lines: Sequence[str], before: Sequence[str] = ()) -> str:
        """A place for a text of several lines; `before` are lines of Jinja that stand first."""
        word = self._word()
        self._texts[word] = [*(f"\0{line}" for line in before), *lines]
        return word

    def filled(self, line: str) -> list[str]:
        """A line of YAML as lines of the template."""
        head, _, word = line.rpartition(" ")
        blanks = _blanks(line)
        if word in self._texts:
            inner = (self._text_line(item, blanks) for item in self._texts[word])
            return [*self._escaped(f"{head} |"), *inner]
        if word in self._blocks:
            return self._block(blanks, head.strip(), *self._blocks[word])
        if word in self._inline:
            return [f"{head} {self._inline[word]}"]
        return self._escaped(line)

    def _block(self, blanks: str, key: str, lines: list[str], rest: Any) -> list[str]:
        own_key = "KEY:" in lines
        result = [] if own_key else [f"{blanks}{key}"]
        for line in lines:
            is_statement = line.startswith("<%")
            result.append(
                line if is_statement else f"{blanks}{key if line == 'KEY:' else f'  {line.strip()}'}"
            )
        behind = emit(rest).rstrip("\n").split("\n") if rest else []
        return [*result, *(item for line in behind for item in self._escaped(f"{blanks}  {line}"))]

    def _text_line(self, line: str, blanks: str) -> str:
        if line.startswith("\0"):
            statement = line[1:]
            return statement if statement.startswith("<%") else f"{blanks}  {statement}"
        head, _, word = line.rpartition(" ")
        if word in self._inline:
            return f"{blanks}  {head} {self._inline[word]}"
        return self._escaped(f"{blanks}  {line}".rstrip())[0]

    def _escaped(self, line: str) -> list[str]:
        if not _JINJA.search(line):
            return [line]
        return [f"{_blanks(line)}<%+ raw %>{line.lstrip(' ')}<% endraw +%>"]

    def _word(self) -> str:
        return f"{_TOKEN}{len(self._inline) + len(self._blocks) + len(self._texts)}x"


def _blanks(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def holds_reserved_words(document: Mapping[str, Any]) -> bool:
    """Whether a template holds words that would be mistaken for places or for the end of raw text."""
    text = json.dumps(document)
    return _TOKEN in text or bool(re.search(r"<%[-+]?\s*endraw", text))
