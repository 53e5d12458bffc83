"""The examples of docs/lint.md, made whole: a fragment is laid over one of the two templates of that page."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
PAGE = Path(__file__).parents[2] / "docs" / "lint.md"
WHOLE_FILES, TENANT = "Files", "Tenant"

# What stands in brackets cannot be printed; these are the texts that it stands for.
_PROSE = {
    "(5,001 characters)": "x" * 5001,
    "(1,001 parameters)": "[" + ", ".join(f"{{name: p{number}}}" for number in range(1001)) + "]",
}


@dataclass(frozen=True)
class Section:
    """A rule as the page explains it."""

    group: str
    code: str
    text: str

    def files(self, which: str) -> dict[str, bytes]:
        """The example `Bad` or `Good` as files that lint can read."""
        return self._files(
            re.findall(rf"^{which}:\n\n```yaml\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)[0]
        )

    def _files(self, example: str) -> dict[str, bytes]:
        named = re.match(r"# (\S+\.\w+)\n", example)
        if "(the WorkflowTemplate above)" in example:
            return files(workflow_template())
        if self.group == WHOLE_FILES:
            return {named[1] if named else "a.yaml": example.encode()}
        if "(51 WorkflowTemplates" in example:
            return files(*({**workflow_template(), **_named(number)} for number in range(51)))
        for prose, meant in _PROSE.items():
            example = example.replace(prose, meant)
        documents = [whole(fragment) for fragment in yaml.safe_load_all(example)]
        alone = self.group != TENANT and documents[0]["kind"] == "ServingTemplate"
        return files(*documents, *([workflow_template()] if alone else []))


def _named(number: int) -> Json:
    document = workflow_template()
    return {"metadata": {**document["metadata"], "name": f"digit-detection-{number}"}}


def files(*documents: Json) -> dict[str, bytes]:
    """One file for each document."""
    return {f"{number:02}.yaml": dump(document).encode() for number, document in enumerate(documents)}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as people write them."""


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def dump(document: Json) -> str:
    """A document as a person would write it: texts inside as literal blocks."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def workflow_template() -> Json:
    """The good WorkflowTemplate of the page."""
    return copy.deepcopy(_blocks()[0])


def serving_template() -> Json:
    """The good ServingTemplate of the page."""
    return copy.deepcopy(_blocks()[1])


@lru_cache
def _blocks() -> tuple[Json, Json]:
    head = PAGE.read_text(encoding="utf-8").partition("\n### ")[0]
    first, second = re.findall(r"^```yaml\n(.*?)^```$", head, re.DOTALL | re.MULTILINE)
    return yaml.safe_load(first), yaml.safe_load(second)


def sections() -> Iterator[Section]:
    """Every section of the page that explains a code."""
    group = ""
    for part in re.split(r"^(?=###? )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if part.startswith("## "):
            group = part.splitlines()[0].removeprefix("## ")
        elif part.startswith("### "):
            yield Section(group, part.split("`")[1], part)


def whole(fragment: Json) -> Json:
    """A fragment laid over the template that it belongs to."""
    base = serving_template() if fragment.get("kind") == "ServingTemplate" else workflow_template()
    result: Json = _laid(base, fragment)
    return result


def _laid(base: Any, over: Any) -> Any:
    if isinstance(base, str) and isinstance(over, str) and "\n" in base:
        return _laid_text(base, over)
    if isinstance(base, dict) and isinstance(over, dict):
        merged = {**base, **{key: _laid(base.get(key), value) for key, value in over.items()}}
        return {key: value for key, value in merged.items() if value is not None}
    if isinstance(base, list) and isinstance(over, list):
        return _laid_list(base, over)
    return over


def _laid_text(base: str, over: str) -> str:
    """The texts of a ServingTemplate are YAML themselves; what is none replaces the whole."""
    if "{%" in over or not isinstance(yaml.safe_load(over), dict):
        return over
    return dump(_laid(yaml.safe_load(base), yaml.safe_load(over)))


def _laid_list(base: list[Any], over: list[Any]) -> list[Any]:
    if None in over or not all(_name(item) for item in [*base, *over]):
        return [item for item in over if item is not None]
    rest = copy.deepcopy(base)
    result = list(rest)
    for item in over:
        same = next((known for known in rest if _name(known) == _name(item)), None)
        if same is None:
            result.append(item)
        else:
            result[result.index(same)] = _laid(same, item)
            rest.remove(same)
    return result


def _name(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    return str(item.get("name") or (item.get("metadata") or {}).get("name") or "")
