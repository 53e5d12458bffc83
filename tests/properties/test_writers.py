"""Two daemons and a cron on one scenario: one writer at a time, and nothing is launched twice.

`CORESPEC_ROUNDS` sets how many rounds each of them does, with every kind of lock.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import format_datetime
from pathlib import Path

import pytest

from reconciler.clock import SystemClock
from reconciler.lock_base import LIFETIME, MARGIN
from tests.properties.core import Core, running
from tests.properties.site import Site
from tests.properties.writers import Writer, one_writer_at_a_time
from tests.reconciler.fake import FakeClock
from tests.reconciler.ledger import ACTIVE, Wish
from tests.reconciler.slots import ceph, new_bucket

pytestmark = pytest.mark.long

#: A lock in a bucket of moto costs some twenty requests a round, all of them in Python.
ROUNDS = {"file": 200, "moto": 40, "ceph": 200}
DAEMONS = ("one", "two")
CRON = "cron"


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    """A server on the time of this machine, as its clients are."""
    with running(tmp_path / "core", SystemClock()) as found:
        yield found


@pytest.fixture
def site(tmp_path: Path, core: Core) -> Site:
    return Site(tmp_path, core)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time of the object store, which stamps its answers."""
    clock = FakeClock()
    handler = pytest.importorskip("werkzeug.serving", reason="needs moto: pip install 'corespec[dev]'")
    stamp = lambda _, timestamp=None: format_datetime(clock.now(), usegmt=True)  # noqa: E731
    monkeypatch.setattr(handler.WSGIRequestHandler, "date_time_string", stamp)
    return clock


@pytest.fixture
def moto(time: FakeClock) -> Iterator[tuple[str, str, str]]:
    """An S3 server in this process."""
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'corespec[dev]'")
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}", "test", "hidden-value"
    started.stop()


@pytest.fixture(params=["file", "moto", pytest.param("ceph", marks=pytest.mark.integration)])
def kind(request: pytest.FixtureRequest) -> str:
    """Of lock."""
    return str(request.param)


@pytest.fixture
def environ(request: pytest.FixtureRequest, kind: str, site: Site, tmp_path: Path) -> dict[str, str]:
    """Variables of the writers; the environment names a lock of that kind."""
    if kind != "file":
        found = request.getfixturevalue("moto") if kind == "moto" else ceph()
        return _in_a_bucket(site, *found)
    return {"CORESPEC_STATE_DIR": str(tmp_path / "state")}


def _in_a_bucket(site: Site, endpoint: str, access: str, secret: str) -> dict[str, str]:
    name = new_bucket(endpoint, access, secret).name
    keys = {"accessKeyId": "env:LOCK_KEY", "secretAccessKey": "env:LOCK_SECRET"}
    site.stores = {"locks": {"type": "s3", "bucket": name, "endpoint": endpoint, **keys}}
    site.more = {"lock": {"type": "s3", "objectStore": "locks"}}
    return {"LOCK_KEY": access, "LOCK_SECRET": secret}


@pytest.fixture
def start(site: Site, core: Core) -> Iterator[Callable[..., Writer]]:
    """Starts writers by name; a daemon has done its first round."""
    with ExitStack() as opened:

        def begin(name: str, environ: dict[str, str], clone: Path | None = None) -> Writer:
            place = clone or site.clone_for(name)
            writer = Writer(name, place, core, environ, daemon=name != CRON)
            opened.callback(writer.close)
            return writer

        yield begin


def _edit(site: Site, number: int) -> None:
    """One of eight contents, and an execution that comes and goes; written in another way each time."""
    site.spec.wishes = {"a": Wish(rate=str(1 + number % 8))}
    if number % 3:
        site.spec.wishes["b"] = Wish(rate=str(1 + number % 2), after=("a",))
    site.write(number)


def _finish(core: Core) -> None:
    for run in core.executions:
        if run["status"] in ACTIVE:
            core.end(run["id"])


@pytest.mark.timeout(1800)
def test_three_writers_and_one_lock(
    site: Site, core: Core, kind: str, environ: dict[str, str], start: Callable[..., Writer]
) -> None:
    """All of them are called at once, again and again, while somebody edits and runs complete."""
    rounds = int(os.environ.get("CORESPEC_ROUNDS", ROUNDS[kind]))
    site.write()
    writers = [start(name, environ) for name in (*DAEMONS, CRON)]
    for daemon in writers[:2]:
        assert daemon.ended() in {"ok", "locked"}
    for number in range(rounds):
        if number % 5 == 0:
            _edit(site, number // 5)
        for place in range(3):
            writers[(number + place) % 3].call()
        assert {writer.ended() for writer in writers} <= {"ok", "locked"}, [w.endings[-1] for w in writers]
        if number % 2:
            _finish(core)
    assert one_writer_at_a_time(core.requests) >= rounds
    endings = Counter(ending for writer in writers for ending in writer.endings)
    assert endings["ok"] + endings["locked"] == 3 * rounds + 2
    assert endings["locked"], "they did meet"
    launched = Counter(run["configurationName"] for run in core.executions)
    assert max(launched.values()) == 1, "no content has run twice"
    assert len(launched) >= min(8, rounds // 5)
    assert len({request.writer for request in core.requests if request.method == "POST"}) > 1


class Death:
    """kill -9 of a writer that has sent its first write of that kind; the server has acted, or never does."""

    def __init__(self, core: Core, victim: Writer, line: str, *, acted: bool) -> None:
        self._core, self._victim, self._line = core, victim, line
        self.place = -1  #: in the server's record
        if acted:
            core.answering = self._comes
        else:
            core.admit = self._comes

    def _comes(self, writer: str, line: str) -> bool:
        if self.place >= 0 or (writer, line) != (self._victim.name, self._line):
            return True
        self.place = len(self._core.requests)
        os.kill(self._victim.pid, signal.SIGKILL)
        return False


@pytest.mark.parametrize("acted", [False, True])
@pytest.mark.parametrize("line", ["POST /v2/lm/configurations", "POST /v2/lm/executions"])
def test_a_killed_holder_of_the_systems_lock_is_followed_at_once(
    site: Site, core: Core, start: Callable[..., Writer], tmp_path: Path, line: str, acted: bool
) -> None:
    """The system knows that it is dead. Whoever comes next goes on from there, and launches nothing twice."""
    environ = {"CORESPEC_STATE_DIR": str(tmp_path / "state")}
    site.write()
    one, two = (start(name, environ) for name in DAEMONS)
    assert {one.ended(), two.ended()} <= {"ok", "locked"}
    _finish(core)
    _edit(site, 4)
    death = Death(core, one, line, acted=acted)
    one.call()
    assert one.ended() == "killed"
    two.call()
    assert two.ended() == "ok"
    _come_to_rest(core, two)
    one_writer_at_a_time(core.requests, {one.name: death.place})
    assert max(Counter(run["configurationName"] for run in core.executions).values()) == 1


@pytest.mark.parametrize("acted", [False, True])
def test_a_killed_holder_of_a_lock_in_a_bucket_is_followed_after_expiry_and_not_before(
    site: Site,
    core: Core,
    start: Callable[..., Writer],
    moto: tuple[str, str, str],
    time: FakeClock,
    acted: bool,
) -> None:
    """Nobody sees it die: the other daemon and the cron stand by until the bucket's time is past expiry."""
    environ = _in_a_bucket(site, *moto)
    site.write()
    one, two = (start(name, environ) for name in DAEMONS)
    assert {one.ended(), two.ended()} <= {"ok", "locked"}
    cron = start(CRON, environ)
    _finish(core)
    _edit(site, 4)
    death = Death(core, one, "POST /v2/lm/executions", acted=acted)
    one.call()
    assert one.ended() == "killed"
    writes = list(core.writes)
    for seconds in (0.0, LIFETIME.total_seconds(), MARGIN.total_seconds() - 1):
        time.sleep(seconds)
        for other in (two, cron):
            other.call()
            assert other.ended() == "locked"
    assert core.writes == writes, "nobody has written in the meantime"
    time.sleep(2)
    cron.call()
    assert cron.ended() == "ok"
    _come_to_rest(core, two)
    one_writer_at_a_time(core.requests, {one.name: death.place})
    assert max(Counter(run["configurationName"] for run in core.executions).values()) == 1


def _come_to_rest(core: Core, writer: Writer) -> None:
    """Every run completes, and what waits for it is started; then nothing is written any more."""
    for _ in range(3):
        _finish(core)
        writer.call()
        assert writer.ended() == "ok"
    assert {run["status"] for run in core.executions} == {"COMPLETED"}
    assert len(core.executions) == 3
    writes = list(core.writes)
    writer.call()
    assert writer.ended() == "ok"
    assert core.writes == writes
