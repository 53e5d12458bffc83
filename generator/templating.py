"""Jinja for the catalogue: sandboxed, strict about names, and unable to inject.

Argo owns `{{…}}`, so the catalogue writes `<< value >>`, `<% if … %>` and `<# comment #>`. Every `<< value
>>` becomes a JSON literal, which is a YAML scalar and a quoted word of a Dockerfile: no value can become
syntax.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import DictLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from generator.emit import quote


class Bare(str):
    """Text that stands in the output as it is; only for words that a strict pattern has let through."""

    __slots__ = ()


class Literal(str):
    """A value as a quoted word of the output; `meaning` is the text that a reader gets from it."""

    __slots__ = ("meaning",)
    meaning: str

    def __str__(self) -> str:
        return self  # jinja2 passes every value through `str`


def fill(text: str, values: Mapping[str, Any], shared: Mapping[str, str] | None = None) -> str:
    """Fill a catalogue text; `shared` holds the texts that it may include, by name.

    Raises jinja2.TemplateError where it names an unknown value or an unknown text.
    """
    return "".join(chunks(text, values, shared))


def chunks(text: str, values: Mapping[str, Any], shared: Mapping[str, str] | None = None) -> list[str]:
    """The filled text in pieces: what stands in the catalogue, and a `Literal` for every quoted value."""
    return list(_compiled(text, tuple(sorted((shared or {}).items()))).generate(values))


@lru_cache(maxsize=4096)
def literal(text: str) -> Literal:
    """Text as the quoted word that stands in the output; templates repeat the same words many times."""
    word = Literal(quote(text))
    word.meaning = text
    return word


@lru_cache(maxsize=1024)
def check_syntax(text: str) -> None:
    """Raise jinja2.TemplateSyntaxError, with its line, when a text is not Jinja."""
    _environment().parse(text)


def _finalize(value: Any) -> Any:
    """A value as the literal that stands in the output; text is always quoted."""
    if isinstance(value, StrictUndefined | Bare):
        return value  # jinja2 raises when an undefined value is written
    return literal(value) if isinstance(value, str) else json.dumps(value)


@lru_cache(maxsize=8)
def _environment(shared: tuple[tuple[str, str], ...] = ()) -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=DictLoader(dict(shared)),
        undefined=StrictUndefined,
        finalize=_finalize,
        autoescape=False,  # the output is YAML; `_finalize` quotes every value
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@lru_cache(maxsize=64)
def _compiled(text: str, shared: tuple[tuple[str, str], ...]) -> Template:
    return _environment(shared).from_string(text)
