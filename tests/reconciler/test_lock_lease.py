"""The lock as a Lease of Kubernetes: the real client, and an API server with the real one's rules."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize

pytest.importorskip("kubernetes", reason="needs pip install 'corespec[kubernetes]'")

from corespec.__main__ import main
from corespec.project import read_environment
from generator.spec.environment import Environment
from reconciler.errors import LockHeldError, LockLostError, LockUnavailableError
from reconciler.lock_base import LIFETIME, MARGIN, LockRecord
from reconciler.lock_expiring import ExpiringLock
from reconciler.lock_lease import ANNOTATION, LeaseSlot, connect
from reconciler.locks import open_lock
from tests.reconciler.fake import FakeClock
from tests.reconciler.leases import NAMESPACE, TOKEN, ApiServer, LeaseWorld, refusal, serving
from tests.reconciler.slots import PLACE
from tests.reconciler.test_lock_expiring import OneWriter

ROOT = Path(__file__).parents[2]
SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as running:
        yield running


@pytest.fixture
def world(server: ApiServer, tmp_path: Path) -> LeaseWorld:
    return LeaseWorld(server, connect({"KUBECONFIG": str(server.kubeconfig(tmp_path))}))


def _lease(server: ApiServer) -> dict[str, Any]:
    return server.leases["corespec"]


def _record(server: ApiServer) -> LockRecord:
    return LockRecord.parse(_lease(server)["metadata"]["annotations"][ANNOTATION].encode())


def test_one_life_of_a_lock(server: ApiServer, world: LeaseWorld) -> None:
    """Made, renewed, refused to another, released, taken by another, unlocked; never deleted."""
    first = world.lock("apply")
    with first:
        first.check()
        server.clock.moment += 20 * SECOND
        first.refresh()
        first.check()
        with pytest.raises(LockHeldError, match=r"process \d+ is at work on .*\(apply, since") as raised:
            world.lock("reconcile").acquire()
        assert raised.value.exit_code == 5
    assert world.lock().look() is None
    with pytest.raises(LockLostError):
        first.check()
    second = world.lock("reconcile")
    second.acquire()
    assert world.lock().unlock(second.token).operation == "reconcile"
    with pytest.raises(LockLostError):
        second.check()
    assert {method for method, _ in server.requests} == {"GET", "POST", "PUT"}


def test_the_fields_are_those_of_every_leader_election(server: ApiServer, world: LeaseWorld) -> None:
    """`kubectl get lease` shows the holder; renewTime and duration end where the record does."""
    first = world.lock()
    first.acquire()
    server.clock.moment += 20 * SECOND
    first.refresh()
    lease, record = _lease(server), _record(server)
    spec = lease["spec"]
    assert (lease["apiVersion"], lease["kind"]) == ("coordination.k8s.io/v1", "Lease")
    assert spec["holderIdentity"] == f"{record.host}_{first.token[:8]}"
    assert spec["leaseDurationSeconds"] == LIFETIME.seconds
    ends = datetime.fromisoformat(spec["renewTime"]) + timedelta(seconds=spec["leaseDurationSeconds"])
    assert abs(ends - record.expires_at) < timedelta(milliseconds=1)
    assert abs(datetime.fromisoformat(spec["acquireTime"]) - record.taken_at) < timedelta(milliseconds=1)
    assert spec["leaseTransitions"] == 0
    first.release()
    assert _lease(server)["spec"].get("holderIdentity") is None
    world.lock().acquire()
    assert _lease(server)["spec"]["leaseTransitions"] == 1


def test_a_killed_holder_is_followed_after_expiry_and_not_before(
    server: ApiServer, world: LeaseWorld
) -> None:
    """By the server's clock, whatever those of the hosts say."""
    dead = world.lock(clock=FakeClock(datetime(2001, 1, 1, tzinfo=UTC)))
    dead.acquire()
    server.clock.moment += LIFETIME + MARGIN
    with pytest.raises(LockHeldError, match="no sign of life"):
        world.lock(clock=FakeClock(datetime(2099, 1, 1, tzinfo=UTC))).acquire()
    with pytest.raises(LockLostError, match="has expired"):
        dead.check()
    server.clock.moment += SECOND
    heir = world.lock()
    heir.acquire()
    with pytest.raises(LockLostError, match="taken away"):
        dead.refresh()
    dead.release()
    heir.check()


def test_without_the_servers_time_the_hosts_own_counts(server: ApiServer, world: LeaseWorld) -> None:
    server.dated = False
    world.lock().acquire()
    with pytest.raises(LockHeldError):
        world.lock().acquire()


def test_a_stale_version_writes_nothing(server: ApiServer, world: LeaseWorld, tmp_path: Path) -> None:
    """409 for one that is over, 422 for one that none can be, 409 for a second create, 404 for one gone."""
    lock = world.lock()
    record = lock._record(server.clock.now()).dump()
    slot = server.slot(tmp_path)
    assert slot.put(record, "")
    assert not slot.put(record, "")
    old = slot.get().tag
    assert slot.put(record, old)
    assert not slot.put(record, old)
    assert not slot.put(record, "0" * 32)
    now = slot.get().tag
    del server.leases["corespec"]
    assert not slot.put(record, now)
    assert slot.get().content is None
    assert server.clock.slept == []


def test_answers_that_are_lost_lose_no_lock(server: ApiServer, world: LeaseWorld) -> None:
    """Create, renewal, release: the write was done, and what lies there decides."""
    lock = world.lock()
    for step in (lock.acquire, lock.refresh, lock.release):
        server.lose_answers = 1
        step()
        assert server.lose_answers == 0
    assert world.lock().look() is None


def test_a_lease_that_an_administrator_has_made_is_free(server: ApiServer, world: LeaseWorld) -> None:
    """Then nobody needs the right to create; labels and other annotations stay."""
    server.leases["corespec"] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "corespec",
            "namespace": NAMESPACE,
            "resourceVersion": "7",
            "labels": {"team": "meters"},
            "annotations": {"note": "keep"},
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {},
    }
    with world.lock() as lock:
        lock.check()
        metadata = _lease(server)["metadata"]
        assert metadata["labels"] == {"team": "meters"}
        assert metadata["annotations"]["note"] == "keep"
        assert not metadata.get("managedFields")
    assert {method for method, _ in server.requests} == {"GET", "PUT"}


@pytest.mark.parametrize("content", [None, "", "{}", '{"format_version": 2}'])
def test_the_lease_of_something_else_is_not_free(
    server: ApiServer, world: LeaseWorld, content: str | None
) -> None:
    """Another program's leader, or a later version's record: exit code 1, and it stays."""
    metadata = {"name": "corespec", "namespace": NAMESPACE, "resourceVersion": "7"}
    noted: dict[str, Any] = {} if content is None else {"annotations": {ANNOTATION: content}}
    server.leases["corespec"] = {"metadata": {**metadata, **noted}, "spec": {"holderIdentity": "pod-1_x"}}
    before = json.dumps(server.leases)
    with pytest.raises(LockUnavailableError, match="no lock that this version") as raised:
        world.lock().acquire()
    assert raised.value.exit_code == 1
    assert json.dumps(server.leases) == before


@pytest.mark.parametrize(
    ("answer", "message", "transient"),
    [
        (refusal(401, "Unauthorized"), "credentials are not accepted .401 Unauthorized", False),
        (refusal(403, "Forbidden"), "rights are missing .403 Forbidden", False),
        (refusal(422, "Invalid", "metadata.annotations"), "refused .422 Invalid", False),
        (refusal(400, TOKEN), r"refused .400\)", False),
        (refusal(500, "InternalError"), "failed .500 InternalError", True),
        (refusal(429, "TooManyRequests"), "failed .429", True),
        ((200, {"kind": "Something"}), "no Lease", True),
    ],
)
def test_every_other_answer_fails_closed(
    server: ApiServer,
    world: LeaseWorld,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, dict[str, Any]],
    message: str,
    transient: bool,
) -> None:
    """One error, exit code 1, nothing of what the server said but its own word; no token anywhere."""
    server.fail = [answer] * 9
    with (
        caplog.at_level(logging.DEBUG, logger="reconciler"),
        pytest.raises(LockUnavailableError, match="Lease corespec in namespace meters.*" + message) as raised,
    ):
        world.lock().acquire()
    assert (raised.value.exit_code, raised.value.transient) == (1, transient)
    assert TOKEN not in str(raised.value) + raised.value.remedy + caplog.text
    assert server.leases == {}


def test_a_namespace_that_is_not_there_is_said(world: LeaseWorld) -> None:
    slot = LeaseSlot(world.api, "elsewhere", "corespec", FakeClock())
    with pytest.raises(LockUnavailableError, match=r"namespace is not there .404 NotFound"):
        ExpiringLock(slot, *PLACE, "apply", clock=FakeClock()).acquire()


def test_a_server_that_is_not_there_fails_closed(server: ApiServer, tmp_path: Path) -> None:
    """Repeated on our own clock, then exit code 1; a later round may try again."""
    server.url, clock = "http://127.0.0.1:9", FakeClock()
    with pytest.raises(LockUnavailableError, match="cannot be reached") as raised:
        server.slot(tmp_path, clock).get()
    assert (raised.value.exit_code, raised.value.transient) == (1, True)
    assert clock.slept


def test_a_failure_that_passes_is_tried_again(server: ApiServer, world: LeaseWorld) -> None:
    server.fail = [refusal(500, "InternalError"), refusal(503, "ServiceUnavailable")]
    world.lock().acquire()
    assert not _record(server).released


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "current-context: x", f"users: [{{name: a, user: {{token: {TOKEN}}}}}]", "\x00"],
)
def test_without_a_way_in_nothing_is_written(tmp_path: Path, content: str) -> None:
    """No token of a pod, and no kubeconfig that can be used: said, and not what is in it."""
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    for place in (path, tmp_path / "absent"):
        with pytest.raises(LockUnavailableError, match="No way into Kubernetes") as raised:
            connect({"KUBECONFIG": str(place)})
        assert raised.value.exit_code == 1
        assert TOKEN not in str(raised.value) + raised.value.remedy


def test_in_a_pod_its_service_account_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any kubeconfig; the token is that of the file."""
    certifi = pytest.importorskip("certifi", reason="needs pip install certifi")
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", certifi.where())
    configuration = connect({"KUBECONFIG": "/absent"}).api_client.configuration
    assert configuration.host == "https://10.0.0.1:443"
    assert TOKEN in str(configuration.auth_settings())


def test_without_the_extra_the_command_to_install_it_is_said(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.delitem(sys.modules, "reconciler.lock_lease")
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(LockUnavailableError, match="not installed") as raised:
        open_lock(_environment(place), place)
    assert raised.value.exit_code == 1
    assert "pip install 'corespec[kubernetes]'" in raised.value.remedy


HOLDER = """
import sys
from reconciler.lock_expiring import ExpiringLock
from reconciler.lock_lease import LeaseSlot, connect
slot = LeaseSlot(connect({"KUBECONFIG": sys.argv[1]}), "meters", "corespec")
with ExpiringLock(slot, "http://ai.example/v2", "default", "apply"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_kill_9_of_the_holder(server: ApiServer, world: LeaseWorld, tmp_path: Path) -> None:
    """Its lock stays where it is until it expires; then, and not before, another gets it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(server.kubeconfig(tmp_path))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
    assert process.returncode == -9
    server.clock.moment += LIFETIME + MARGIN
    with pytest.raises(LockHeldError, match=f"process {process.pid}"):
        world.lock().acquire()
    server.clock.moment += SECOND
    with world.lock() as heir:
        heir.check()


def test_of_many_that_try_at_once_one_gets_it(server: ApiServer, tmp_path: Path) -> None:
    """Ten rounds of four threads, each with a client of its own."""
    path = {"KUBECONFIG": str(server.kubeconfig(tmp_path))}
    worlds = [LeaseWorld(server, connect(path)) for _ in range(4)]
    for _ in range(10):
        start, won, lost = threading.Barrier(4), [], []

        def race(world: LeaseWorld, start: threading.Barrier, won: list[Any], lost: list[Any]) -> None:
            lock = world.lock()
            start.wait()
            try:
                lock.acquire()
            except LockHeldError as error:
                lost.append(error)
            else:
                won.append(lock)

        threads = [threading.Thread(target=race, args=(world, start, won, lost)) for world in worlds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 3)
        won[0].check()
        won[0].release()


PLACE_FILE = """\
apiVersion: corespec/v1
kind: Environment
metadata: {name: here}
aiCore: {connection: serviceKey, serviceKey: "file:key.json"}
objectStores: {default: {type: directory, path: objects}}
git: {url: origin, repository: gitops, application: app}
lock: {type: lease, namespace: meters}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project folder whose environment asks for a Lease."""
    address = "http://127.0.0.1:9"
    key = {"clientid": "c", "clientsecret": "x", "url": address, "serviceurls": {"AI_API_URL": address}}
    (tmp_path / "key.json").write_text(json.dumps(key))
    (tmp_path / "specs" / "environments").mkdir(parents=True)
    (tmp_path / "specs" / "environments" / "here.yaml").write_text(PLACE_FILE)
    return tmp_path


def _environment(root: Path) -> Environment:
    return read_environment(root, None)


def test_unlock_shows_the_holder_and_removes_it(
    server: ApiServer, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lock that an environment asks for, by the command that people have."""
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(place)))
    assert main(["unlock", "-C", str(place)]) == 0
    lock = open_lock(_environment(place), place, "apply", commit="c" * 40)
    lock.acquire()
    assert main(["unlock", "-C", str(place)]) == 5
    assert lock.token in capsys.readouterr().out
    assert main(["unlock", "0" * 32, "-C", str(place)]) == 2
    lock.check()
    assert main(["unlock", lock.token, "-C", str(place)]) == 0
    with pytest.raises(LockLostError):
        lock.check()
    assert TOKEN not in "".join(capsys.readouterr())


class OneWriterOfALease(OneWriter):
    """The same machine of two hosts, by requests to the API server."""

    @initialize(skews=st.tuples(st.integers(-7200, 7200), st.integers(-7200, 7200)))
    def begin(self, skews: tuple[int, int]) -> None:
        super().begin(skews)
        self.stack = ExitStack()
        server = self.stack.enter_context(serving())
        folder = Path(self.stack.enter_context(TemporaryDirectory()))
        api = connect({"KUBECONFIG": str(server.kubeconfig(folder))})
        self.slot = LeaseWorld(server, api)  # type: ignore[assignment]
        self.expires = self.slot.clock.now()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()


OneWriterOfALease.TestCase.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)
TestOneWriterOfALease = OneWriterOfALease.TestCase
