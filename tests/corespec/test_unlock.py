"""`corespec unlock`: shows the holder, removes the lock with the token that was given, and no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corespec.__main__ import main
from generator.spec.environment import Environment, S3Store
from reconciler.errors import AuthenticationError, InputRejectedError, LockLostError
from reconciler.lock import FileLock
from reconciler.locks import open_lock
from reconciler.stores import open_bucket

ADDRESS = "http://127.0.0.1:9"
PLACE = """\
apiVersion: corespec/v1
kind: Environment
metadata: {name: here}
aiCore: {connection: serviceKey, serviceKey: "file:key.json"}
resourceGroup: meters
objectStores:
  default: {type: directory, path: objects}
  bucket: {type: s3, bucket: b, accessKeyId: "env:NO_SUCH_KEY", secretAccessKey: "env:NO_SUCH_SECRET"}
git: {url: origin, repository: gitops, application: app}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder whose locks lie in it."""
    key = {"clientid": "c", "clientsecret": "hidden-value", "url": ADDRESS}
    (tmp_path / "key.json").write_text(json.dumps(key | {"serviceurls": {"AI_API_URL": ADDRESS}}))
    (tmp_path / "specs" / "environments").mkdir(parents=True)
    (tmp_path / "specs" / "environments" / "here.yaml").write_text(PLACE)
    monkeypatch.setenv("CORESPEC_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def lock(root: Path) -> FileLock:
    """The lock that an apply here would take."""
    return FileLock(f"{ADDRESS}/v2", "meters", "apply", commit="c" * 40, folder=root / "state" / "locks")


def test_nobody_holds_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0; nothing is at fault on a machine that never held a lock."""
    assert main(["unlock", "-C", str(root)]) == 0
    assert capsys.readouterr().out == "Nobody holds the lock of here.\n"
    assert main(["unlock", "-C", str(root), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["held"] is None
    assert main(["unlock", "0" * 32, "-C", str(root)]) == 2


def test_the_holder_is_shown_with_the_command_to_remove_it(
    root: Path, lock: FileLock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 5; the lock stays."""
    with lock:
        assert main(["unlock", "-C", str(root)]) == 5
        shown = capsys.readouterr().out
        lock.check()
        assert main(["unlock", "-C", str(root), "-o", "json"]) == 5
        held = json.loads(capsys.readouterr().out)["held"]
    assert f": apply, commit {'c' * 10}\n" in shown
    assert f"corespec unlock {lock.token} -e here\n" in shown
    assert held["token"] == lock.token
    assert "hidden-value" not in shown + json.dumps(held)


def test_the_lock_with_that_token_is_removed(
    root: Path, lock: FileLock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another token removes nothing (exit code 2); the right one stops the holder before its next write."""
    with lock:
        assert main(["unlock", "f" * 32, "-C", str(root)]) == 2
        assert "another token" in capsys.readouterr().err
        lock.check()
        assert main(["unlock", lock.token, "-C", str(root)]) == 0
        assert "The lock is removed." in capsys.readouterr().out
        with pytest.raises(LockLostError):
            lock.check()
        with pytest.raises(LockLostError):
            lock.refresh()
        assert main(["unlock", "-C", str(root)]) == 5  # the system's lock, until the process lets go
        assert "does not say which one" in capsys.readouterr().out
    assert main(["unlock", "-C", str(root)]) == 0


def _environment(root: Path, lock: str) -> Environment:
    from generator.spec.parse import parse
    from generator.spec.reader import read

    found = parse(read("here.yaml", (PLACE + f"lock: {lock}\n").encode()), Environment).model
    assert found is not None
    return found


def test_a_lock_in_a_bucket_without_its_keys(root: Path) -> None:
    """The reference that leads nowhere is named; no lock is taken elsewhere instead."""
    place = _environment(root, "{type: s3, objectStore: bucket}")
    assert isinstance(place.object_stores["bucket"], S3Store)
    with pytest.raises(AuthenticationError, match=r"objectStores\.bucket.*NO_SUCH_KEY"):
        open_lock(place, root)


def test_a_folder_is_no_bucket(root: Path) -> None:
    with pytest.raises(InputRejectedError, match="`default` is no S3"):
        open_bucket(_environment(root, "{type: file}"), "default", root)
