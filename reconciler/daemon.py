"""The reconciler that people leave running: rounds, and what they leave in log, figures and messages."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from generator.errors import GeneratorError, ReferenceUnavailableError
from generator.repository import checked_out
from generator.spec.environment import Environment
from reconciler.backoff import OF_THE_SERVICE, Backoffs, leave_out, separable
from reconciler.errors import LockHeldError, LockLostError, NotHealthyError, ReconcilerError, TransientError
from reconciler.events import Event, EventKind
from reconciler.health import Sync
from reconciler.journal import Journal, Level
from reconciler.loop import Bell, DaemonClock, Ended, Ending, Pace, StopRequestedError
from reconciler.notify import Memory, Notice, Notifier, Severity, alert_of, notices, targets
from reconciler.observability import METERS
from reconciler.plan_model import Action, Plan
from reconciler.session import Options, Result, Session
from reconciler.webhook import Verdict, judge
from reconciler.workbench import WORK

#: Without a sign of life for this many intervals the daemon counts as stuck.
_INTERVALS = 3
#: ... but never for less than this, seconds: one request may take several minutes with its repetitions.
_LEAST_PATIENCE = 300.0
#: A failure that may pass is told when that many rounds in a row have ended with one.
_TOLD_AFTER = 3
#: Seconds between two log lines about calls that are refused.
_COMPLAINT_SECONDS = 60.0

#: What a round may end with; everything else is a fault of this program and ends it.
FAILURES = (ReconcilerError, GeneratorError, OSError)


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the next round. None: as the environment says."""

    options: Options
    interval: float | None = None


class Daemon:
    """One environment's rounds; `reconciler.loop.Loop` says when. It is the steward of its session."""

    def __init__(
        self,
        session: Session,
        environment: Callable[[], Environment],
        settings: Settings,
        bell: Bell,
        clock: DaemonClock,
        journal: Journal,
    ) -> None:
        """`environment` reads the environment's file as it is now; it may raise FAILURES."""
        self._session, self._read, self._settings = session, environment, settings
        self._bell, self._clock, self._journal = bell, clock, journal
        self._environment = environment()
        self._backoffs = Backoffs()
        self._memory = Memory(session.root / WORK / "notified" / f"{session.environment}.json")
        self._notifier = Notifier(lambda said: journal.write("warning", "not-notified", said))
        self._tried = ""  # the commit that the objects left out have failed with
        self._failed: dict[str, bool] = {}  # what failed in this round -> whether for good
        self._failures = 0  # rounds in a row that may succeed later
        self._ready = (True, "the first round is under way")
        self._complained = clock.monotonic() - _COMPLAINT_SECONDS
        session.steward = self

    # -- for the loop -----------------------------------------------------------------------------------

    def pace(self) -> Pace:
        """The environment's, as last read."""
        daemon = self._environment.daemon
        return Pace(float(self._settings.interval or daemon.interval), float(daemon.retry_interval))

    def round(self) -> Ended:
        """One round. Raises StopRequestedError, and nothing for what the outside world may do."""
        journal, began = self._journal, self._clock.monotonic()
        journal.round, journal.commit, self._failed = secrets.token_hex(4), self._commit(), {}
        journal.write("info", "round-began", "")
        try:
            result = self._session.reconcile_once(self._settings.options, listener=self._hear)
        except StopRequestedError:
            journal.write(
                "info", "round-stopped", "ended between two writes; the next start goes on from here"
            )
            raise
        except FAILURES as error:
            ended = self._fault(error)
        else:
            ended = self._success(result)
        journal.commit = self._commit()
        METERS.rounds.add(ended.ending.value)
        METERS.duration.observe(self._clock.monotonic() - began)
        self._reread()
        return self._with_objects(ended)

    def close(self) -> None:
        """Send what waits to be told."""
        self._notifier.close()

    # -- for the session --------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises StopRequestedError when the daemon is to end."""
        self._clock.check()

    def shorten(self, plan: Plan) -> Plan:
        """Leave out what failed lately, unless there is a new commit."""
        self._journal.commit = commit = self._commit()
        if commit != self._tried:
            self._tried = commit
            self._backoffs.forget()
        held = self._backoffs.held(self._clock.monotonic())
        for address in sorted(held & {change.address for change in plan.changes}):
            self._journal.write("info", "held-back", "failed lately; the others go on without it", address)
        return leave_out(plan, held)

    # -- for the endpoint, from its threads -------------------------------------------------------------

    def health(self) -> tuple[bool, str]:
        """Whether the daemon still moves."""
        silent = self._clock.monotonic() - self._clock.alive
        patience = max(_INTERVALS * self.pace().interval, _LEAST_PATIENCE)
        return silent < patience, f"last sign of life {silent:.0f} s ago"

    def ready(self) -> tuple[bool, str]:
        """Whether the last round could read Git and AI Core and do its work."""
        return self._ready

    def webhook(self, headers: Mapping[str, str], body: bytes) -> Verdict | None:
        """None where the environment has no webhook."""
        wanted = self._environment.daemon.webhook
        if wanted is None:
            return None
        try:
            secret = wanted.secret.resolve(self._session.root)
        except ReferenceUnavailableError as error:
            self._complain(f"daemon.webhook: {error}")
            return Verdict(503)
        verdict = judge(wanted.provider, secret, self._environment.git.branch, headers, body)
        if verdict.wakes:
            self._journal.write("info", "called", f"{wanted.provider}: a push")
            self._bell.call()
        elif verdict.status != 202:
            self._complain(f"{wanted.provider}: {verdict.reason}")
        return verdict

    # -- a round's parts --------------------------------------------------------------------------------

    def _hear(self, event: Event) -> None:
        self._clock.alive = self._clock.monotonic()
        self._journal.hear(event)
        if event.kind is EventKind.UPLOADING:
            self._clock.check()  # gigabytes are not waited for: an upload goes on where it ended
        elif event.kind is EventKind.FAILED:
            # What cannot be deleted is no reason to leave out what is to be made at the same address.
            if event.data.get("action") not in {Action.PRUNE.value, Action.STOP.value}:
                self._failed[event.address] = not event.data.get("transient")
        elif event.kind is EventKind.DONE:
            self._backoffs.succeeded(event.address)
            if event.data.get("action") == Action.LAUNCH.value:
                METERS.launches.add()

    def _success(self, result: Result) -> Ended:
        self._failures, self._ready = 0, (True, "the last round ended well")
        status, now = result.status, self._clock.now()
        METERS.last_success.set(round(now.timestamp(), 3))
        rows = status.rows
        METERS.drift.set(sum(row.sync is not Sync.SYNCED for row in rows))
        healths = [row.health.value for row in rows]
        METERS.objects.replace({health: healths.count(health) for health in healths})
        counts = {action: count for action, count in result.final.summary.items() if count}
        left = ", ".join(f"{count} to {action}" for action, count in counts.items() if action != "retire")
        self._journal.write(
            "info",
            "round-ended",
            f"{len(result.applied)} done, {left or 'nothing'} left; {status.health.value}",
            exit_code=int(result.exit_code),
        )
        commit = self._commit()
        told = self._memory.well(self._notice("Recovered", "rounds end well again", commit))
        alerts = (alert_of(row.address) for row in rows if row.alert)
        self._memory.keep([self._itself, *(row.address for row in rows), *alerts])
        self._tell([*told, *notices(status, commit, self._memory)])
        return Ended(Ending.OK)

    def _fault(self, error: BaseException) -> Ended:
        ending = classify(error)
        said, reason = str(error), type(error).__name__
        passing = ending in {Ending.TRANSIENT, Ending.LOCKED}
        self._failures = self._failures + 1 if passing else 0
        if ending is not Ending.LOCKED:  # a second daemon that stands by is ready to take over
            self._ready = (False, f"the last round failed: {reason}")
        level: Level = "info" if ending is Ending.LOCKED else "error"
        self._journal.write(level, "round-failed", said, reason=reason)
        if not passing or self._failures == _TOLD_AFTER:
            commit = self._commit()
            mark = "" if passing else f" {commit}"
            notice = self._notice(reason, said, commit, bad=True)
            self._tell(self._memory.failing(notice, mark))
        return Ended(ending, getattr(error, "retry_after", None))

    def _with_objects(self, ended: Ended) -> Ended:
        """Where single objects are at fault the others are not kept waiting for them."""
        now, pace = self._clock.monotonic(), self.pace()
        if ended.ending is Ending.OK or not self._failed or not all(map(separable, self._failed)):
            return Ended(ended.ending, ended.retry_after, self._backoffs.due(now))
        # The apply has gone on without one that may pass, and given up at the second.
        early = sum(not terminal for terminal in self._failed.values()) >= OF_THE_SERVICE
        for address, terminal in self._failed.items():
            self._backoffs.failed(address, pace, now, terminal=terminal, others=early)
        due = pace.retry_interval if early else self._backoffs.due(now)
        return Ended(Ending.OK, ended.retry_after, due)

    def _reread(self) -> None:
        """The environment for the next round; a broken file has been reported by the round."""
        try:
            self._environment = self._read()
        except FAILURES:
            return

    def _tell(self, told: list[Notice]) -> None:
        if told and self._environment.notifications:
            known, wrong = targets(self._environment.notifications, self._session.root)
            for said in wrong:
                self._journal.write("warning", "not-notified", said)
            self._notifier.tell(told, known)

    @property
    def _itself(self) -> str:
        return f"environment/{self._session.environment}"

    def _notice(self, reason: str, message: str, commit: str, *, bad: bool = False) -> Notice:
        severity: Severity = "error" if bad else "info"
        now, environment = self._clock.now(), self._session.environment
        return Notice(self._itself, severity, reason, message, commit, environment, now)

    def _commit(self) -> str:
        return checked_out(self._session.root)  # "": the round says so itself

    def _complain(self, said: str) -> None:
        """Who calls with wrong signatures shall not fill the disk."""
        now = self._clock.monotonic()
        if now - self._complained >= _COMPLAINT_SECONDS:
            self._complained = now
            self._journal.write("warning", "call-refused", said)


def classify(error: BaseException) -> Ending:
    """Whether trying again can help."""
    if isinstance(error, LockHeldError | LockLostError):
        return Ending.LOCKED
    passing = isinstance(error, TransientError | NotHealthyError | OSError)
    return Ending.TRANSIENT if passing or getattr(error, "transient", False) else Ending.TERMINAL
