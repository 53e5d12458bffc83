"""Small pieces of SQL that several lists share: conditions, pages, searches and label selectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Page:
    """Which part of a list: `top` rows after the first `skip`."""

    top: int = 10_000
    skip: int = 0


@dataclass
class Where:
    """Conditions joined by AND; values always travel as arguments, never as text."""

    conditions: list[str] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)

    def equal(self, column: str, value: str | None) -> Where:
        if value is not None:
            self.conditions.append(f"{column} = ?")
            self.arguments.append(value)
        return self

    def among(self, column: str, values: Sequence[str] | None) -> Where:
        if values:
            self.conditions.append(f"{column} IN ({','.join('?' * len(values))})")
            self.arguments.extend(values)
        return self

    def search(self, columns: Iterable[str], text: str | None, *, case_insensitive: bool) -> Where:
        """`text` occurs in one of the columns."""
        if text is None:
            return self
        fold = "lower({})" if case_insensitive else "{}"
        needle = text.lower() if case_insensitive else text
        parts = [f"instr({fold.format(column)}, ?) > 0" for column in columns]
        self.conditions.append(f"({' OR '.join(parts)})")
        self.arguments.extend([needle] * len(parts))
        return self

    def labels(self, selectors: Sequence[tuple[str, bool, str]]) -> Where:
        """Each selector (key, equal?, value) holds for the labels [{key, value}] in column `labels`."""
        for key, equal, value in selectors:
            found = (
                "EXISTS (SELECT 1 FROM json_each(labels) WHERE json_extract(value, '$.key') = ?"
                " AND json_extract(value, '$.value') = ?)"
            )
            self.conditions.append(found if equal else f"NOT {found}")
            self.arguments.extend([key, value])
        return self

    @property
    def sql(self) -> str:
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
