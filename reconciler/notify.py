"""Telling people: what deserves a message, once, and how it is sent.

An object's message is sent when its reason changes, not in every round. Sending happens in a thread of its
own, with a time-out and few attempts: it never delays a round and never fails one. An address is a secret
(who knows a Slack webhook can write), so no log line and no error holds one.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import requests

from generator.errors import ReferenceUnavailableError
from generator.spec.operations import Notification
from reconciler.files import write_atomically
from reconciler.health import Health
from reconciler.status import Status
from reconciler.suspension import OVER
from reconciler.webhook import signature

Severity = Literal["info", "error"]

FORMAT_VERSION = "1.0"
#: Seconds between attempts to send one message.
DELAYS = (1.0, 5.0, 25.0)
_TIMEOUT = (5.0, 10.0)
_THREAD = "corespec-notify"
#: The library below logs the paths of addresses at level DEBUG.
logging.getLogger("urllib3.connectionpool").addFilter(lambda record: record.threadName != _THREAD)
_WAITING_MOST = 256
_LONGEST_MESSAGE = 2000
_BAD = frozenset({Health.DEGRADED, Health.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: what happened to which object."""

    object: str
    severity: Severity
    reason: str
    message: str
    revision: str
    environment: str
    timestamp: datetime

    def document(self) -> dict[str, str]:
        return {
            "format_version": FORMAT_VERSION,
            "environment": self.environment,
            "object": self.object,
            "severity": self.severity,
            "reason": self.reason,
            "message": self.message[:_LONGEST_MESSAGE],
            "revision": self.revision,
            "timestamp": self.timestamp.isoformat(),
        }


class Memory:
    """Object -> the reason that was last told or seen, kept in a file so that a restart repeats nothing.

    The file may be lost or damaged at any time: what is wrong is then told once more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            known = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            known = {}
        self._reasons = {str(k): str(v) for k, v in known.items()} if isinstance(known, dict) else {}

    def failing(self, notice: Notice, mark: str = "") -> list[Notice]:
        """Something is wrong: a message unless it is the one told last. `mark` tells two failures of one
        reason apart.
        """
        key = f"!{notice.reason}{mark}"
        if self._reasons.get(notice.object) == key:
            return []
        self._remember({**self._reasons, notice.object: key})
        return [notice]

    def well(self, notice: Notice) -> list[Notice]:
        """All is well: a message when it was not, or when a reason that people follow has changed."""
        before = self._reasons.get(notice.object)
        if before == notice.reason:
            return []
        self._remember({**self._reasons, notice.object: notice.reason})
        return [notice] if before is not None else []

    def keep(self, objects: Iterable[str]) -> None:
        """Forget all others: they are gone."""
        known = set(objects)
        self._remember({name: reason for name, reason in self._reasons.items() if name in known})

    def _remember(self, reasons: dict[str, str]) -> None:
        if reasons == self._reasons:
            return
        self._reasons = reasons
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(reasons, indent=1).encode())
        except OSError:
            return  # a full disk must not stop a round; the next restart repeats a message


def notices(status: Status, revision: str, memory: Memory) -> list[Notice]:
    """What a round's status gives to tell. Errors: what is degraded or unreadable; info: what follows it,
    and how executions and deployments go on.
    """
    told: list[Notice] = []
    for row in status.rows:
        bad = row.health in _BAD
        notice = Notice(
            object=row.address,
            severity="error" if bad else "info",
            reason=row.reason.value,
            message=row.message or f"{row.health.value}: {row.reason.value}",
            revision=revision,
            environment=status.environment,
            timestamp=status.observed_at,
        )
        told += memory.failing(notice) if bad else memory.well(notice)
        if row.alert:
            name = alert_of(row.address)
            told += memory.failing(
                replace(notice, object=name, severity="error", reason=OVER, message=row.alert)
            )
    return told


def alert_of(address: str) -> str:
    """Under which name an address is told of that is healthy, and needs somebody all the same."""
    return f"{address}#suspend"


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go; nothing of it is shown."""

    type: Literal["generic", "hmac", "slack"]
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    severity: Severity = "error"

    def wants(self, notice: Notice) -> bool:
        return self.severity == "info" or notice.severity == "error"

    def request(self, notice: Notice) -> tuple[bytes, dict[str, str]]:
        """Body and headers."""
        document = {"text": _slack(notice)} if self.type == "slack" else notice.document()
        body = json.dumps(document, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "corespec"}
        if self.type == "hmac":
            headers["X-Signature"] = signature(self.secret, body)
        return body, headers


def targets(wanted: Sequence[Notification], root: Path) -> tuple[list[Target], list[str]]:
    """The targets whose references can be read, and what is wrong with the others."""
    found, wrong = [], []
    for number, one in enumerate(wanted):
        try:
            secret = one.secret.resolve(root) if one.secret else ""
            found.append(Target(one.type, one.url.resolve(root), secret, one.severity))
        except ReferenceUnavailableError as error:
            wrong.append(f"notifications[{number}]: {error}")
    return found, wrong


Post = Callable[[str, bytes, Mapping[str, str]], int]


class Notifier:
    """Sends in the background. `complain` gets one line for a message that could not be sent."""

    def __init__(self, complain: Callable[[str], None], post: Post | None = None) -> None:
        self._complain, self._post = complain, post or _post
        self._waiting: queue.Queue[tuple[Target, Notice] | None] = queue.Queue(_WAITING_MOST)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self, told: Iterable[Notice], to: Sequence[Target]) -> None:
        """Returns at once."""
        for notice in told:
            for target in to:
                if target.wants(notice):
                    self._put((target, notice))

    def close(self, seconds: float = 5.0) -> None:
        """Send what waits, for that long at most."""
        if self._thread is not None:
            self._put(None)
            self._thread.join(seconds)
            self._ending.set()

    def send(self, target: Target, notice: Notice, pause: Callable[[float], object]) -> bool:
        """Try, and try again; whether it arrived. An answer of 4xx (but 408 and 429) is not asked again."""
        body, headers = target.request(notice)
        said = ""
        for delay in (*DELAYS, None):
            try:
                status = self._post(target.url, body, headers)
            except requests.RequestException as error:
                said = type(error).__name__  # the text of these errors holds the address
            else:
                if 200 <= status < 300:
                    return True
                said = f"HTTP {status}"
                if 400 <= status < 500 and status not in {408, 429}:
                    break
            if delay is None or pause(delay):
                break
        self._complain(f"{target.type}: {said}; not told: {notice.object} {notice.reason}")
        return False

    def _put(self, item: tuple[Target, Notice] | None) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=_THREAD, daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self._complain("too many messages wait to be sent; one is lost")

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None and not self._ending.is_set():
            self.send(*item, pause=self._ending.wait)


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """A redirect is not followed: it would carry the message to somebody whom nobody named."""
    answer = requests.post(url, body, headers=dict(headers), timeout=_TIMEOUT, allow_redirects=False)
    answer.close()
    return answer.status_code


def _slack(notice: Notice) -> str:
    what = notice.document()
    text = f"[{what['severity']}] {what['environment']}: {what['object']} {what['reason']}\n{what['message']}"
    if notice.revision:
        text += f"\ncommit {notice.revision[:10]}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
