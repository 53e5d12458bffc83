"""What AI Core holds of each address: the commit of templates, else the first digits of the content. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.desired import SHORT, Desired, DesiredConfiguration
from reconciler.live import Live
from reconciler.promotion import Promotion


def revisions(desired: Desired, live: Live, serving: Iterable[Promotion]) -> dict[str, str]:
    """By address, whether it is in sync or not. `desired` is bound, `serving` follows from it."""
    synced = live.application_status.revision if live.application_status else ""
    states = ((one.address, live.templates.get(one.executable)) for one in desired.templates)
    return {
        f"application/{desired.onboarding.application}": synced,
        **{address: state.revision for address, state in states if state},
        **{dataset.address: dataset.fingerprint[:SHORT] for dataset in desired.datasets},
        **{one.address: _digits(one) for one in desired.configurations},
        **{one.address: _digits(one.configuration) for one in desired.executions},
        **{one.wanted.address: _digits(one.configuration) for one in serving if one.configuration},
    }


def _digits(wanted: DesiredConfiguration) -> str:
    return wanted.full_name[-SHORT:]
