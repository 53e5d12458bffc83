"""The small language of `when` and `depends`: comparisons, `!`, `&&`, `||` and parentheses; pure.

Words stand for themselves (`heads` is the text heads), as in Argo. A tag's value is one operand whatever it
contains: a parameter cannot change the structure of the expression it appears in.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from localcore.workflow.errors import WorkflowError

_TOKEN = re.compile(
    r"""\s*(?:(?P<operator>&&|\|\||==|!=|=~|<=|>=|<|>|!|\(|\))
    |'(?P<single>[^']*)'|"(?P<double>[^"]*)"
    |(?P<word>(?:\{\{.*?\}\}|[^\s()!=<>&|'"])+))""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while expression[position:].strip():
        match = _TOKEN.match(expression, position)
        if match is None:
            raise WorkflowError(
                f"the expression {expression!r} cannot be read at {expression[position:].strip()!r}"
            )
        kind = "operator" if match["operator"] else "word"
        value = next(
            part
            for part in (match["operator"], match["single"], match["double"], match["word"])
            if part is not None
        )
        found.append((kind, value))
        position = match.end()
    return found


def names(expression: str) -> list[str]:
    """The words of an expression, in order."""
    return [value for kind, value in _tokens(expression) if kind == "word"]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _compare(sign: str, left: str, right: str) -> bool:
    if sign == "=~":
        return re.search(right, left) is not None
    first, second = _number(left), _number(right)
    if first is not None and second is not None:
        return _COMPARISONS[sign](first, second)
    return _COMPARISONS[sign](left, right)


class _Reader:
    """Recursive descent over the tokens; every operand goes through `value` once."""

    def __init__(self, expression: str, value: Callable[[str], str]) -> None:
        self._expression = expression
        self._rest = _tokens(expression)[::-1]
        self._value = value

    def _next_is(self, *signs: str) -> bool:
        return bool(self._rest) and self._rest[-1][0] == "operator" and self._rest[-1][1] in signs

    def whole(self) -> bool:
        result = self._either()
        if self._rest:
            raise WorkflowError(f"the expression {self._expression!r} goes on after its end")
        return result

    def _either(self) -> bool:
        result = self._both()
        while self._next_is("||"):
            self._rest.pop()
            other = self._both()
            result = result or other
        return result

    def _both(self) -> bool:
        result = self._negation()
        while self._next_is("&&"):
            self._rest.pop()
            other = self._negation()
            result = result and other
        return result

    def _negation(self) -> bool:
        if self._next_is("!"):
            self._rest.pop()
            return not self._negation()
        if self._next_is("("):
            self._rest.pop()
            result = self._either()
            if not self._next_is(")"):
                raise WorkflowError(f"the expression {self._expression!r} lacks a closing parenthesis")
            self._rest.pop()
            return result
        return self._comparison()

    def _operand(self) -> str:
        if not self._rest or self._rest[-1][0] != "word":
            raise WorkflowError(f"the expression {self._expression!r} lacks an operand")
        return self._value(self._rest.pop()[1])

    def _comparison(self) -> bool:
        left = self._operand()
        if not self._next_is(*_COMPARISONS, "=~"):
            if left not in ("true", "false"):
                raise WorkflowError(
                    f"the expression {self._expression!r}: {left!r} alone is neither true nor false"
                )
            return left == "true"
        sign = self._rest.pop()[1]
        return _compare(sign, left, self._operand())


def evaluate(expression: str, value: Callable[[str], str]) -> bool:
    """The truth of an expression; `value` turns each operand as written into its text.

    Raises WorkflowError.
    """
    return _Reader(expression, value).whole()
