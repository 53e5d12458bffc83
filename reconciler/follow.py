"""Telling listeners how executions do until they end."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.aicore import AICore
from reconciler.clock import POLL_SECONDS, Clock
from reconciler.events import Emitter, EventKind
from reconciler.report.text import progress_text
from reconciler.watch import Progress, watch


def follow(
    aicore: AICore,
    executions: Mapping[str, str],
    clock: Clock,
    emit: Emitter,
    *,
    until_first_ends: bool = False,
    poll_seconds: float = POLL_SECONDS,
) -> tuple[Progress, ...]:
    """Watch executions (id -> address) until all, or the first one, have ended; returns those."""
    ended: list[Progress] = []
    told: dict[str, Progress] = {}
    for look in watch(aicore, tuple(executions), clock, poll_seconds):
        address = executions[look.execution]
        if look.ended:
            ended.append(look)
            emit(EventKind.ENDED, address, progress_text(look), **look.document())
        elif told.get(look.execution) != look:
            told[look.execution] = look
            emit(EventKind.RUNNING, address, progress_text(look), **look.document())
        if ended and until_first_ends:
            break
    return tuple(ended)
