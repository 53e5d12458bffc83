"""The wait for AI Core to sync the very templates that the configurations were planned with.

AI Core binds a configuration to whatever template of that name it holds when the execution starts. So
nothing is created before its application is Synced at a revision whose template bytes are the rendered
ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from reconciler.aicore import AICoreWriter
from reconciler.clock import Clock
from reconciler.desired import DesiredTemplate
from reconciler.errors import NotFoundError, NotHealthyError, TransientError
from reconciler.events import Emitter, EventKind
from reconciler.health import Health
from reconciler.health import application as application_health
from reconciler.live import ApplicationStatus
from reconciler.templates import GitReader, template_states

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
_GROWTH = 1.5
#: AI Core looks at the repository every three minutes by itself; asked again when it has not by then.
_REFRESH_EVERY = timedelta(seconds=60)


def wait_for_templates(
    aicore: AICoreWriter,
    application: str,
    templates: Sequence[DesiredTemplate],
    git: GitReader,
    *,
    timeout: timedelta,
    clock: Clock,
    emit: Emitter,
) -> None:
    """Return once every template is synced; ask for a refresh first.

    Raises NotHealthyError with AI Core's own message when it reports a failure of one of these templates,
    or after `timeout`.
    """
    address = f"application/{application}"
    asked = clock.now()
    deadline = asked + timeout
    _refresh(aicore, application)
    pause, told = _FIRST_PAUSE, ""
    while True:
        status = _status(aicore, application)
        missing = _missing(templates, status, git)
        if not missing:
            emit(
                EventKind.DONE, address, f"AI Core has synced {_names(templates)}", revision=_revision(status)
            )
            return
        _raise_failure(application, missing, status, git)
        if (waiting := _what_for(missing, status)) != told:
            told = waiting
            emit(EventKind.WAITING, address, told)
        now = clock.now()
        if now >= deadline:
            raise _timeout(application, missing, status, timeout)
        if now - asked >= _REFRESH_EVERY:
            asked = now
            _refresh(aicore, application)
        clock.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)


def _refresh(aicore: AICoreWriter, application: str) -> None:
    try:
        aicore.refresh_application(application)
    except (TransientError, NotFoundError):
        return  # whether it was heard shows in the status; asking again does no harm


def _status(aicore: AICoreWriter, application: str) -> ApplicationStatus | None:
    try:
        return aicore.application_status(application)
    except NotFoundError:
        return None  # just created: the status follows


def _missing(
    templates: Sequence[DesiredTemplate], status: ApplicationStatus | None, git: GitReader
) -> list[DesiredTemplate]:
    states = template_states(templates, status, git)
    return [template for template in templates if not states[template.executable].synced]


def _raise_failure(
    application: str, missing: Sequence[DesiredTemplate], status: ApplicationStatus | None, git: GitReader
) -> None:
    """Stop at once when AI Core refuses the very bytes that we wait for; an older failure may still pass."""
    if status is None:
        return
    for template in missing:
        said = [
            r.message
            for r in status.resources
            if r.name == template.executable and "fail" in r.status.lower()
        ]
        if said and git.read(status.revision, template.path) == template.content:
            raise NotHealthyError(
                f"AI Core refuses {template.path} at {status.revision[:10]}: {said[0]}",
                remedy=f"Change the spec or the catalogue, then render, push and run again ({application}).",
            )


def _names(templates: Sequence[DesiredTemplate]) -> str:
    return ", ".join(template.executable for template in templates)


def _revision(status: ApplicationStatus | None) -> str:
    return status.revision if status else ""


def _what_for(missing: Sequence[DesiredTemplate], status: ApplicationStatus | None) -> str:
    at = f"; it is {status.sync} at {status.revision[:10]}" if status else ""
    return f"waiting for AI Core to sync {_names(missing)}{at}"


def _timeout(
    application: str, missing: Sequence[DesiredTemplate], status: ApplicationStatus | None, timeout: timedelta
) -> NotHealthyError:
    verdict = application_health(status)
    said = f" It says: {verdict.message}" if verdict.health is not Health.HEALTHY and verdict.message else ""
    return NotHealthyError(
        f"AI Core has not synced {_names(missing)} within {int(timeout.total_seconds())} s "
        f"(application {application} {_what_for((), status).partition('; ')[2] or 'does not answer'}).{said}",
        remedy="Check the application in AI Core: URL, credentials, path and branch; then run again. "
        "No configuration was created.",
    )
