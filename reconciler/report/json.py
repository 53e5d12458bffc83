"""JSON with a `format_version`: a higher minor only adds keys, a higher major may change them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconciler.drift_model import Drift
    from reconciler.plan_model import Plan
    from reconciler.planfile import Origin
    from reconciler.status import Status

__all__ = ["drift_json", "plan_json", "status_json"]


def plan_json(plan: Plan, origin: Origin | None = None) -> str:
    """The plan, one deterministic document; with its origin it is what `apply FILE` takes."""
    made = origin.document() if origin else {}
    return _dump(plan.document() | made | {"exit_code": int(plan.exit_code)})


def status_json(status: Status) -> str:
    """The state of every address."""
    return _dump(status.document())


def drift_json(drift: Drift) -> str:
    """All that somebody changed by hand."""
    return _dump(drift.document())


def lines(documents: Iterable[dict[str, Any]]) -> str:
    """JSON lines: one compact document a line."""
    return "".join(json.dumps(document, ensure_ascii=False, sort_keys=True) + "\n" for document in documents)


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
