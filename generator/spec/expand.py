"""A configuration with a matrix or a list becomes its children, each under a stable address.

The address of a child is made of its values (`sweep.base_learning_rate-0.001.batch_size-8`), never of its
place, so adding a value adds children and renames none. Every child gets all parameters of the workflow as
canonical strings.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator.spec.document import Configuration
from generator.spec.findings import Findings
from generator.spec.parameters import Parameter, UnfitValueError, canonical, ratio
from generator.spec.reader import Path
from generator.spec.scalars import spelled
from generator.suggest import did_you_mean

MAX_CHILDREN = 1000
MAX_ADDRESS = 242  # AI Core allows 256 characters; `--` and 12 digits follow
_LONGEST_VALUE = 40

Parameters = Mapping[str, Parameter]


@dataclass(frozen=True)
class Child:
    """One member of a family: its address and what distinguishes it, as canonical strings."""

    address: str
    values: Mapping[str, str]
    where: Path


def expand(
    name: str, configuration: Configuration, parameters: Parameters, findings: Findings
) -> list[Child]:
    """The members of a configuration's family with all their parameters; one member when it has no matrix or
    list.

    Faults of values, unknown parameters, too many or equal children are added to `findings`.
    """
    here: Path = ("configurations", name)
    base = _checked(configuration.parameters, parameters, (*here, "parameters"), findings)
    defaults = {key: parameter.canonical_default for key, parameter in parameters.items()}
    children = list(_members(name, configuration, parameters, findings))
    _refuse_equal(children, findings)
    complete = [Child(child.address, {**defaults, **base, **child.values}, child.where) for child in children]
    for child in complete:
        _check_splits(child, parameters, findings)
    return complete


def _members(
    name: str, configuration: Configuration, parameters: Parameters, findings: Findings
) -> Iterator[Child]:
    here: Path = ("configurations", name)
    if not configuration.matrix and not configuration.entries:
        yield Child(name, {}, here)
    if configuration.matrix:
        yield from _matrix(name, configuration, parameters, findings)
    for index, entry in enumerate(configuration.entries):
        where = (*here, "list", index)
        yield _child(name, _checked(entry, parameters, where, findings), where, findings)


def _matrix(
    name: str, configuration: Configuration, parameters: Parameters, findings: Findings
) -> Iterator[Child]:
    where: Path = ("configurations", name, "matrix")
    size = math.prod(len(values) for values in configuration.matrix.values())
    if size > MAX_CHILDREN:
        findings.add(
            where, "too-many-children", f"makes {size} configurations; at most {MAX_CHILDREN} are allowed"
        )
        return
    axes: list[list[tuple[str, str]]] = []
    for key, values in sorted(configuration.matrix.items()):
        if key not in parameters:
            _unknown(key, parameters, (*where, key), findings)
            continue
        if key in configuration.parameters:
            message = "is also given under `parameters`; keep one"
            findings.add((*where, key), "duplicate-parameter", message, key=True)
        checked = (
            _value(parameters, key, value, (*where, key, at), findings) for at, value in enumerate(values)
        )
        axes.append([(key, text) for text in checked if text is not None])
    for combination in itertools.product(*axes):
        yield _child(name, dict(combination), where, findings)


def _child(name: str, values: Mapping[str, str], where: Path, findings: Findings) -> Child:
    address = ".".join([name, *(f"{key}-{_slug(values[key])}" for key in sorted(values))])
    if len(address) > MAX_ADDRESS:
        findings.add(
            where,
            "too-long",
            f"the child's name has more than {MAX_ADDRESS} characters; vary fewer parameters",
        )
    return Child(address, values, where)


def _slug(text: str) -> str:
    """A value as part of a name; what cannot be written out ends in a short hash of the whole."""
    legal = re.sub(r"[^A-Za-z0-9._+-]+", "_", text)[:_LONGEST_VALUE]
    if legal == text and text:
        return text
    return f"{legal.strip('_')}_{hashlib.sha256(text.encode()).hexdigest()[:6]}".lstrip("_")


def _checked(
    values: Mapping[str, object], parameters: Parameters, where: Path, findings: Findings
) -> dict[str, str]:
    checked = {
        key: checked_value(parameters, key, value, (*where, key), findings) for key, value in values.items()
    }
    return {key: text for key, text in checked.items() if text is not None}


def as_written(values: Mapping[str, object]) -> dict[str, str]:
    """Parameters of a workflow that nobody here knows, as text: lists as JSON, truth values as `True`."""
    return {key: _plain_text(value) for key, value in sorted(values.items())}


def _plain_text(value: object) -> str:
    text = spelled(value)
    return json.dumps(list(text)) if isinstance(text, list | tuple) else str(text)


def checked_value(
    parameters: Parameters, key: str, value: object, where: Path, findings: Findings
) -> str | None:
    """The canonical string of a parameter's value; None, with a finding, when it cannot be taken."""
    if key not in parameters:
        _unknown(key, parameters, where, findings)
        return None
    return _value(parameters, key, value, where, findings)


def _unknown(key: str, parameters: Parameters, where: Path, findings: Findings) -> None:
    message = f"the workflow has no parameter of this name; {did_you_mean(key, parameters)}"
    findings.add(where, "unknown-parameter", message, key=True)


def _value(parameters: Parameters, key: str, value: object, where: Path, findings: Findings) -> str | None:
    try:
        return canonical(parameters[key], value)
    except UnfitValueError as problem:
        findings.add(where, problem.code, str(problem))
        return None


def _refuse_equal(children: list[Child], findings: Findings) -> None:
    seen: set[str] = set()
    for child in children:
        if child.address in seen:
            findings.add(
                child.where,
                "duplicate-child",
                f"`{child.address}` comes up twice; equal values make one child",
            )
        seen.add(child.address)


def _check_splits(child: Child, parameters: Parameters, findings: Findings) -> None:
    """Ratios share one dataset: together they cannot exceed all of it."""
    ratios = [ratio(child.values[key]) for key, parameter in parameters.items() if parameter.type == "split"]
    total = math.fsum(number for number in ratios if number is not None)
    if total > 1 + 1e-9:
        names = ", ".join(key for key, parameter in parameters.items() if parameter.type == "split")
        findings.add(
            child.where, "split-ratios", f"the ratios of {names} sum to {total:g}; they must not exceed 1"
        )
