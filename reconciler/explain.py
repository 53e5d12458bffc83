"""Why a configuration is new: what differs from the latest one of the same name, field by field.

Own small diff over frozen tuples. Lists are compared whole: list heuristics invent changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from generator.fingerprint import template_fingerprint
from reconciler.desired import (
    FINGERPRINT_LABEL,
    SHORT,
    DesiredArtifact,
    DesiredConfiguration,
    DesiredDataset,
    Input,
    output_identity,
)
from reconciler.find import adopted_configuration, known_artifact
from reconciler.live import Artifact, Configuration, Live
from reconciler.plan_model import FieldChange

#: Longest value shown in a plan, characters.
_SHOWN = 200


def own_name(configuration: Configuration) -> str | None:
    """The spec's name of a configuration that bears a content hash of ours, None for anybody else's."""
    return configuration.own_name


def predecessor(wanted: DesiredConfiguration, live: Live) -> Configuration | None:
    """The latest live configuration of the same name, scenario and executable with other content."""
    same = live.configurations_by_own_name.get((wanted.scenario, wanted.executable, wanted.name), ())
    earlier = [c for c in same if c.name != wanted.full_name]
    if adopted := adopted_configuration(wanted, live):
        earlier.append(adopted)
    return max(earlier, key=lambda c: (c.created_at, c.id), default=None)


def differences(
    old: Configuration, wanted: DesiredConfiguration, template: Mapping[str, Any], live: Live
) -> tuple[FieldChange, ...]:
    """Every field in which `wanted` differs: parameters, inputs, the template where Git still has it."""
    before = {port: content_of(live.artifacts_by_id.get(id_), id_) for port, id_ in old.inputs.items()}
    after = {port: _content_wanted(item, live) for port, item in wanted.inputs.items()}
    parameters = wanted.parameters
    if wanted.adopted and old.id == wanted.adopted.id:
        parameters = _in_words_of(old.parameters, parameters)
    changes = [
        *_mapping("parameters", old.parameters, parameters),
        *_mapping("inputs", before, after),
    ]
    past = live.past_templates.get(old.name)
    if past is not None and template_fingerprint(past) != template_fingerprint(template):
        changes += _tree("template", _effective(past), _effective(template))
    return tuple(sorted(changes))


def content_of(artifact: Artifact | None, artifact_id: str) -> str:
    """What an artifact holds, shortly: its fingerprint, the run that wrote it, or else its URL."""
    if artifact is None:
        return artifact_id
    if artifact.execution:
        return output_identity(artifact.execution, artifact.name)
    fingerprint = artifact.labels.get(FINGERPRINT_LABEL)
    return fingerprint[:SHORT] if fingerprint else artifact.url


def _content_wanted(item: Input, live: Live) -> str:
    if isinstance(item, DesiredArtifact):
        return content_of(known_artifact(item, live.artifacts), item.id or item.url)
    return item.fingerprint[:SHORT] if isinstance(item, DesiredDataset) else item.fingerprint


def _in_words_of(theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Our parameters as somebody else wrote them: what they left to its default is left out, and an equal
    value (`1e-3`, `0.001`) is no change."""
    return {
        key: theirs[key] if same_value(theirs[key], value) else value
        for key, value in ours.items()
        if key in theirs
    }


def same_value(one: str, other: str) -> bool:
    """Whether two texts are one value to a trainer: numbers by their size, truth values in any case."""
    if one.casefold() == other.casefold():
        return one == other or one.casefold() in {"true", "false"}
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _effective(template: Mapping[str, Any]) -> Any:
    """The part of a template on which a run depends; the same that `template_fingerprint` looks at."""
    kept = {key: value for key, value in template.get("spec", {}).items() if template_matters(key)}
    return _unfolded(kept) if template.get("kind") == "ServingTemplate" else kept


def _unfolded(value: Any) -> Any:
    """The texts of several lines in a ServingTemplate are YAML themselves: what they hold, where readable."""
    if isinstance(value, Mapping):
        return {key: _unfolded(part) for key, part in value.items()}
    if not isinstance(value, str) or "\n" not in value:
        return value
    try:
        found = yaml.safe_load(value)
    except yaml.YAMLError:
        return value
    return found if isinstance(found, Mapping) else value


def template_matters(key: str) -> bool:
    """Whether a key of a template's spec enters its fingerprint."""
    return template_fingerprint({"spec": {key: "x"}}) != template_fingerprint({"spec": {}})


def _mapping(path: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[FieldChange]:
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            yield FieldChange(f"{path}.{key}", _shown(before.get(key)), _shown(after.get(key)))


def _tree(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _tree(f"{path}.{key}", before.get(key), after.get(key))
    elif _named(before) and _named(after):
        yield from _tree(
            path, {item["name"]: item for item in before}, {item["name"]: item for item in after}
        )
    else:
        yield FieldChange(path, _shown(before), _shown(after))


def _named(items: Any) -> bool:
    """A list whose members all bear a name of their own (templates, parameters, env): compared by name."""
    if not isinstance(items, list) or not all(
        isinstance(i, Mapping) and isinstance(i.get("name"), str) for i in items
    ):
        return False
    return len({item["name"] for item in items}) == len(items)


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
