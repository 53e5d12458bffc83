"""Git sync without a server: what is synced, what fails, and how the status says so."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from localcore.git import GitError, Mirror, Remote
from localcore.gitsync import GitSync
from localcore.store.store import Store


class World:
    """A store, a sync and a repository."""

    def __init__(self, folder: Path, gitops: Any, support: Any) -> None:
        self.folder = folder
        self.store = Store(folder / "db")
        self.changes: list[None] = []
        self.sync = GitSync(self.store, folder / "git", 3600, lambda: self.changes.append(None))
        self.gitops, self.support = gitops, support
        self.store.admin.create_repository("repo", str(gitops.root), "", "")

    def template(self, name: str, line: str = "true") -> dict[str, Any]:
        found: dict[str, Any] = self.support.template(name, [self.support.shell("main", line)])
        return found

    def add(self, name: str = "app", path: str = "templates", revision: str = "main") -> None:
        self.store.admin.create_application(name, str(self.gitops.root), path, revision)

    def run(self, name: str = "app") -> dict[str, Any]:
        row = self.store.admin.application(name)
        assert row is not None
        self.sync.sync(row)
        return self.status(name)

    def status(self, name: str = "app") -> dict[str, Any]:
        row = self.store.admin.application(name)
        assert row is not None
        return self.store.admin.application_status(row)

    def ids(self) -> list[str]:
        return [one["id"] for one in self.store.catalog.executables("demo", None)]


@pytest.fixture
def world(tmp_path: Path, own_gitops: Any, support: Any) -> World:
    return World(tmp_path, own_gitops, support)


def test_the_catalogue_follows_the_folder(world: World) -> None:
    """Proves: add, change and remove a template.

    ModifiedAt and the definition follow; other folders are not read.
    """
    world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.gitops.write("templates/b.json", '{"kind": "nothing"}')
    world.gitops.remove("templates/b.json")
    world.gitops.write("templates/nested/c.yaml", world.template("cccc"))
    revision = world.gitops.write("elsewhere/d.yaml", world.template("dddd"))
    world.add()
    status = world.run()
    assert (status["syncStatus"], status["source"]["revision"]) == ("Synced", revision)
    assert world.ids() == ["aaaa"]
    row = world.store.catalog.executable("aaaa")
    assert row is not None
    world.gitops.write("templates/a.yaml", world.template("aaaa", "echo changed"))
    world.gitops.write("templates/b.yaml", world.template("bbbb"))
    world.run()
    changed = world.store.catalog.executable("aaaa")
    assert changed is not None
    assert changed["digest"] != row["digest"]
    assert world.ids() == ["aaaa", "bbbb"]
    world.gitops.remove("templates/a.yaml")
    world.run()
    assert world.ids() == ["bbbb"]


def test_an_unchanged_revision_is_not_applied_again(world: World) -> None:
    world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.add()
    first, second = world.run(), world.run()
    assert first["syncFinishedAt"] == second["syncFinishedAt"]


def test_bad_templates_are_reported_and_the_others_synced(world: World) -> None:
    """Proves: one status entry per bad file with its reason.

    The good are there; the previous version of a bad one stays.
    """
    world.gitops.write("templates/stays.yaml", world.template("stays"))
    world.add()
    world.run()
    world.gitops.write("templates/good.yaml", world.template("good"))
    world.gitops.write("templates/broken.yaml", "a: b: c")
    world.gitops.write(
        "templates/other.yaml", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}
    )
    unlabelled = world.template("stays")
    del unlabelled["metadata"]["labels"]["scenarios.ai.sap.com/id"]
    world.gitops.write("templates/stays.yaml", unlabelled)
    world.gitops.write("templates/twin.yaml", world.template("good"))
    status = world.run()
    assert (status["syncStatus"], status["healthStatus"]) == ("OutOfSync", "Degraded")
    entries = {(one["name"], one["status"]): one["message"] for one in status["syncResourcesStatus"]}
    assert 'Failed to unmarshal "broken.yaml"' in entries["broken.yaml", "SyncFailed"]
    assert "metadata.labels.scenarios.ai.sap.com/id is missing" in entries["stays", "SyncFailed"]
    assert "v1/Secret is not served" in entries["x", "SyncFailed"]
    assert "occurs twice" in entries["good", "SyncFailed"]
    assert entries["good", "Synced"].endswith("good configured")
    assert world.ids() == ["good", "stays"]


def test_one_id_in_two_applications(world: World) -> None:
    """Proves: the first application keeps the executable; the second reports it by name."""
    world.gitops.write("templates/a.yaml", world.template("same"))
    world.gitops.write("more/a.yaml", world.template("same"))
    world.add()
    world.add("second", "more")
    assert world.run()["syncStatus"] == "Synced"
    status = world.run("second")
    assert "already comes from app" in status["message"]
    world.store.admin.delete_application("app")
    assert world.run("second")["syncStatus"] == "Synced"
    assert world.ids() == ["same"]


def test_two_applications_on_one_folder(world: World) -> None:
    world.gitops.write("templates/a.yaml", world.template("same"))
    world.add()
    world.add("twin")
    assert world.run()["syncStatus"] == "Synced"
    assert "application app already syncs" in world.run("twin")["message"]


@pytest.mark.parametrize(
    ("path", "revision", "message"),
    [
        ("absent", "main", "app path does not exist"),
        ("templates", "absent", "Unable to resolve 'absent' to a commit SHA"),
        ("templates", "main", "KeyError : 'operationState'"),
    ],
)
def test_failures_before_a_first_sync(world: World, path: str, revision: str, message: str) -> None:
    """Proves: AI Core's messages, and "Unknown" in every other field."""
    world.add(path=path, revision=revision)
    status = world.run()
    assert message in status["message"]
    assert status["syncStatus"] == status["syncFinishedAt"] == status["source"]["path"] == "Unknown"


def test_a_failure_after_a_sync_keeps_what_was_synced(world: World, tmp_path: Path) -> None:
    """Proves: a repository that cannot be reached takes no executable away, and the sync recovers."""
    revision = world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.add()
    world.run()
    moved = world.gitops.root.rename(tmp_path / "moved")
    status = world.run()
    assert (status["syncStatus"], status["source"]["revision"]) == ("Unknown", revision)
    assert "rpc error" in status["message"]
    assert world.ids() == ["aaaa"]
    moved.rename(world.gitops.root)
    assert world.run()["syncStatus"] == "Synced"


def test_an_emptied_folder_takes_its_executables_away(world: World) -> None:
    world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.add()
    world.run()
    world.gitops.remove("templates/a.yaml")
    world.run()
    assert world.ids() == []


def test_a_repository_must_be_on_boarded(world: World) -> None:
    world.store.admin.delete_repository("repo")
    world.add()
    assert "is not permitted in project" in world.run()["message"]


def test_revisions(world: World) -> None:
    """Proves: a branch, a tag, a commit and HEAD are all found; a rewritten branch is followed."""
    first = world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.gitops.git("tag", "v1")
    second = world.gitops.write("templates/b.yaml", world.template("bbbb"))
    for name, revision, expected in (
        ("by-tag", "v1", first),
        ("by-commit", first[:12], first),
        ("by-head", "HEAD", second),
        ("by-branch", "main", second),
    ):
        world.add(name, revision=revision)
        assert world.run(name)["source"]["revision"] == expected
        world.store.admin.delete_application(name)
    world.gitops.git("reset", "--quiet", "--hard", "v1")
    third = world.gitops.write("templates/c.yaml", world.template("cccc"))
    world.add()
    assert world.run()["source"]["revision"] == third


def test_file_urls_and_fresh_bare_repositories(world: World, tmp_path: Path) -> None:
    """Proves: file:// works, and so does a bare repository whose HEAD names a branch that does not exist."""
    bare = tmp_path / "bare.git"
    world.gitops.git("init", "--quiet", "--bare", "--initial-branch=elsewhere", str(bare))
    revision = world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.gitops.git("push", "--quiet", str(bare), "main")
    world.store.admin.create_repository("bare", f"file://{bare}", "", "")
    world.store.admin.create_application("bare", f"file://{bare}", "templates", "main")
    assert world.run("bare")["source"]["revision"] == revision


def test_credentials_stay_out_of_sight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves: a password is in no argument, message, representation or file.

    Only in git's environment, for its URL.
    """
    seen: list[tuple[list[str], dict[str, str]]] = []
    remote = Remote("http://127.0.0.1:9/repo.git", "user", "s3cr3t-canary")
    import localcore.git

    real = localcore.git._run

    def spy(arguments: list[str], environment: dict[str, str], **options: Any) -> bytes:
        seen.append((arguments, environment))
        return real(arguments, environment, **options)

    monkeypatch.setattr(localcore.git, "_run", spy)
    with pytest.raises(GitError) as failed:
        Mirror(tmp_path / "mirror", remote).fetch()
    assert "rpc error" in str(failed.value)
    assert "canary" not in repr(remote) + str(failed.value) + repr([arguments for arguments, _ in seen])
    assert any("Authorization: Basic" in value for value in seen[-1][1].values())
    for path in (tmp_path / "mirror").rglob("*"):
        assert not path.is_file() or b"Authorization" not in path.read_bytes()


def test_an_unforeseen_error_keeps_no_other_application_back(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Proves: one that cannot be synced, for whatever reason, ends neither a round nor the loop."""
    world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.gitops.write("faulty/b.yaml", world.template("bbbb"))
    world.add("app-faulty", "faulty")
    world.add("app-good")
    resolve, rounds = Mirror.resolve, threading.Semaphore(0)

    def resolved(mirror: Mirror, revision: str) -> str:
        if mirror._folder.name == "app-faulty":
            raise IndexError("nobody thought of this")
        rounds.release()
        return resolve(mirror, revision)

    monkeypatch.setattr(Mirror, "resolve", resolved)
    world.sync.start()
    for _ in range(2):
        assert rounds.acquire(timeout=20)
        world.sync.refresh()
    assert world.sync.alive
    world.sync.stop()
    assert "app-faulty could not be synced" in caplog.text
    faulty = world.status("app-faulty")
    assert (faulty["syncStatus"], "error of its own (IndexError)" in faulty["message"]) == ("Unknown", True)


def test_no_mirror_is_removed_while_it_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves: an application deleted in the middle of its sync; its mirror goes with the next round."""
    world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.add()
    files, remove = Mirror.files, shutil.rmtree
    deleted, removed = threading.Event(), threading.Event()

    def read(mirror: Mirror, commit: str, path: str) -> dict[str, bytes]:
        assert world.store.admin.delete_application("app")
        world.sync.refresh()
        deleted.set()
        found = files(mirror, commit, path)
        assert not removed.is_set()
        return found

    def removing(path: Path, **options: Any) -> None:
        remove(path, **options)
        removed.set()

    monkeypatch.setattr(Mirror, "files", read)
    monkeypatch.setattr(shutil, "rmtree", removing)
    world.sync.start()
    assert deleted.wait(20)
    assert removed.wait(20)
    world.sync.stop()
    assert not (world.folder / "git" / "app").exists()
    assert world.ids() == []


def test_a_damaged_mirror_is_said(world: World) -> None:
    """Proves: an object that Git does not find is an error of its own words, and not a crash."""
    world.gitops.write("templates/a.yaml", world.template("aaaa"))
    world.add()
    world.run()
    mirror = Mirror(world.folder / "git" / "app", Remote(str(world.gitops.root)))
    with pytest.raises(GitError, match=f"{'0' * 40} is missing"):
        mirror._contents(["0" * 40])
