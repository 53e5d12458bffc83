"""How many pictures, by split and class, a dataset holds: checked, kept with its upload, shown in the plan.

Figures are notes for people: a machine without the checker plans and applies the same without them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.check import Check
from reconciler.objectstore import ObjectStore, marker_key
from reconciler.plan_model import NOTES, Change, FieldChange, Plan, StageName

#: `pictures`, `splits.<split>`, `classes.<class>` -> how many
Counts = Mapping[str, int]
_MOST_SHOWN = 30


def checked_counts(checks: Sequence[Check], cache: Path) -> Counts:
    """What the passed checks of one dataset have counted, as far as all of them agree.

    The splits depend on the parameters: two configurations may divide the same pictures differently.
    """
    found = [_numbers(_read(cache / "checks" / check.key)) for check in checks]
    first = found[0] if found else {}
    return {name: n for name, n in first.items() if all(other.get(name) == n for other in found)}


def with_counts(plan: Plan, counts: Mapping[str, Counts], stores: Mapping[str, ObjectStore]) -> Plan:
    """The plan with the figures of each dataset to be registered beside those of the one before it.

    `counts` is keyed by `<scenario>/<dataset>`. Raises what reading the stores raises.
    """

    def noted(change: Change) -> Change:
        after = counts.get(change.address.removeprefix("dataset/"), {})
        before = stored_counts(next((f.before for f in change.fields if f.path == "url"), None), stores)
        return replace(change, fields=(*change.fields, *changes(before, after))) if after else change

    stages = tuple(
        replace(stage, changes=tuple(noted(change) for change in stage.changes))
        if stage.name is StageName.REGISTER
        else stage
        for stage in plan.stages
    )
    return replace(plan, stages=stages)


def changes(before: Counts, after: Counts) -> tuple[FieldChange, ...]:
    """What differs, `pictures` first; a long list is cut with its rest counted."""
    names = sorted(
        {*before, *after}, key=lambda name: (name != "pictures", not name.startswith("splits."), name)
    )
    found = [
        FieldChange(f"{NOTES}{name}", _text(before.get(name)), _text(after.get(name)))
        for name in names
        if before.get(name) != after.get(name)
    ]
    if len(found) > _MOST_SHOWN:
        rest = f"{len(found) - _MOST_SHOWN} more differ"
        found[_MOST_SHOWN:] = [FieldChange(f"{NOTES}…", None, rest)]
    return tuple(found)


def stored_counts(url: str | None, stores: Mapping[str, ObjectStore]) -> Counts:
    """The figures that were kept with an upload (`ai://<store>/<prefix>`); none where nobody counted."""
    store, _, prefix = (url or "").removeprefix("ai://").partition("/")
    content = stores[store].read(marker_key(prefix)) if store in stores and prefix else None
    try:
        document = json.loads(content or b"{}")
    except ValueError:
        return {}
    return _numbers(document.get("notes") if isinstance(document, dict) else None)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes() or b"{}")
    except (OSError, ValueError):
        return {}


def _numbers(found: Any) -> dict[str, int]:
    if not isinstance(found, dict):
        return {}
    return {str(name): n for name, n in found.items() if isinstance(n, int) and not isinstance(n, bool)}


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
