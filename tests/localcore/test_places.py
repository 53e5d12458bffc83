"""Paths, logs, object stores, credentials and the data folder: the small parts, each by itself."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcore import auth, objectstores
from localcore.auth import Credentials
from localcore.engines import logfile
from localcore.engines.job import filtered
from localcore.engines.paths import rewrite
from localcore.engines.state import Workplace
from localcore.errors import ObjectStoreError, StartError, StoreError
from localcore.home import Home, read_json, write_json
from localcore.store.database import Database
from localcore.store.executions import Executions
from localcore.store.query import Page, Where
from localcore.store.store import Store

PATHS = {"/tmp/model": "/M", "/tmp": "/T", "/tmp/datain": "/D"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("exec train --datain /tmp/datain --out=/tmp/model", "exec train --datain /D --out=/M"),
        ("ls /tmp/model/weights '/tmp/x'", "ls /M/weights '/T/x'"),
        ("/tmp/model2 /tmp/model.json /tmp/model-x", "/T/model2 /T/model.json /T/model-x"),
        (
            "/srv/tmp/model ./tmp/model $HOME/tmp ${HOME}/tmp ~/tmp",
            "/srv/tmp/model ./tmp/model $HOME/tmp ${HOME}/tmp ~/tmp",
        ),
        ("done: /tmp/model. (/tmp/datain)", "done: /M. (/D)"),
        ("a=/tmp/model:/tmp/datain;cat</tmp/model>/tmp/model", "a=/M:/D;cat</M>/M"),
    ],
)
def test_rewriting(text: str, expected: str) -> None:
    """Proves: the longest declared path wins, at name boundaries, and foreign paths stay."""
    assert rewrite(text, PATHS) == expected


@given(st.text(max_size=50).filter(lambda text: "/tmp" not in text))
def test_texts_without_declared_paths_stay(text: str) -> None:
    assert rewrite(text, PATHS) == text
    assert rewrite(text, {}) == text


def _log(path: Path, count: int) -> list[str]:
    times = [f"2026-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}.000000Z" for n in range(count)]
    lines = [json.dumps({"timestamp": time, "msg": f"line {n} " + "x" * 50}) for n, time in enumerate(times)]
    path.write_text("\n".join(lines) + "\n")
    return times


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    path = tmp_path_factory.mktemp("log") / "long.jsonl"
    return path, _log(path, 5000)


@given(st.data())
def test_log_ranges(long_log: tuple[Path, list[str]], data: st.DataObject) -> None:
    """Proves: in a log of many blocks any range, order and limit gives the lines a plain filter would."""
    path, times = long_log
    first, last = sorted(data.draw(st.tuples(st.integers(0, 4999), st.integers(0, 4999))))
    top, descending = data.draw(st.integers(1, 200)), data.draw(st.booleans())
    found = logfile.read(path, start=times[first], end=times[last], top=top, descending=descending)
    wanted = times[first : last + 1]
    expected = wanted[::-1][:top] if descending else wanted[:top]
    assert [line["timestamp"] for line in found] == expected


def test_log_of_a_writer_at_work(tmp_path: Path) -> None:
    """Proves: a half-written line is not read; a line too long is cut; times never go back."""
    path = tmp_path / "log"
    writer = logfile.LogWriter(path)
    writer.write("y" * 20_000, stream="stdout", node="n")
    writer.write("second", stream="stderr", node="n")
    writer.close()
    with path.open("ab") as stream:
        stream.write(b'{"timestamp": "2026')
    found = logfile.read(path, start="", end="9", top=10, descending=False)
    assert [len(line["msg"]) for line in found] == [logfile.MAX_LINE, 6]
    assert found[0]["timestamp"] <= found[1]["timestamp"]
    assert logfile.read(tmp_path / "absent", start="", end="9", top=1, descending=False) == []


def test_a_log_with_a_limit_is_turned_over(tmp_path: Path) -> None:
    """Proves: the newest lines stay readable, one older part is kept, and two writers do not lose a file."""
    path = tmp_path / "log.jsonl"
    one, two = logfile.LogWriter(path, 1000), logfile.LogWriter(path, 1000)
    for number in range(20):
        one.write(f"one {number}", stream="stdout", node="n")
        two.write(f"two {number}", stream="stdout", node="n")
    assert path.stat().st_size < 1200
    assert (tmp_path / "log.1.jsonl").stat().st_size > 1000
    kept = "".join(part.read_text() for part in (tmp_path / "log.1.jsonl", path))
    assert "one 19" in kept
    assert "two 19" in kept
    for writer in (one, two):
        writer.close()


def test_directory_store(tmp_path: Path) -> None:
    """Proves: folders and files go in and out whole; links become copies; an upload replaces in one step."""
    store = objectstores.DirectoryStore(tmp_path / "store")
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_text("content")
    (source / "link").symlink_to(source / "deep" / "file")
    store.upload(source, "a/b")
    store.upload(source / "deep" / "file", "a/c")
    assert store.download("a/b", tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "file").read_text() == "content"
    assert not (tmp_path / "out" / "link").is_symlink()
    assert store.download("a/c", tmp_path / "one")
    (source / "deep" / "file").write_text("newer")
    store.upload(source, "a/b")
    assert (tmp_path / "store" / "a" / "b" / "deep" / "file").read_text() == "newer"
    assert sorted(path.name for path in (tmp_path / "store" / "a").iterdir()) == ["b", "c"]
    assert not store.download("absent", tmp_path / "none")
    for path in ("../x", "a/../../x", "/etc", "a//b", "", "."):
        with pytest.raises(ObjectStoreError):
            store.download(path, tmp_path / "none")


def test_tarballs(tmp_path: Path) -> None:
    """Proves: what was packed comes out under the artifact's path; a tarball cannot write outside of it."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w").write_text("1")
    objectstores.pack(tmp_path / "model", tmp_path / "packed")
    assert objectstores.is_archive(tmp_path / "packed")
    objectstores.unpack(tmp_path / "packed")
    assert (tmp_path / "packed" / "w").read_text() == "1"
    evil = tmp_path / "evil"
    with tarfile.open(evil, "w") as archive:
        archive.add(tmp_path / "packed" / "w", arcname="../escaped")
    with pytest.raises(tarfile.OutsideDestinationError):
        objectstores.unpack(evil)
    assert not (tmp_path / "escaped").exists()


def test_staged_inputs_are_read_only(tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "f").write_text("x")
    objectstores.protect(tmp_path / "in")
    assert (tmp_path / "in" / "sub" / "f").stat().st_mode & 0o222 == 0
    objectstores.remove(tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_unknown_stores_and_urls(tmp_path: Path) -> None:
    with pytest.raises(ObjectStoreError, match="type azure is not served"):
        objectstores.open_store({"name": "n", "type": "azure"}, tmp_path)
    assert objectstores.split_url("ai://default/a/b") == ("default", "a/b")
    for url in ("s3://bucket/key", "ai://default", "ai:///x", "nothing"):
        with pytest.raises(ObjectStoreError):
            objectstores.split_url(url)


@given(st.text(max_size=40))
def test_only_issued_tokens_are_valid(text: str) -> None:
    credentials = Credentials("id", "secret")
    assert not credentials.valid(text)


def test_tokens_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves: a token counts until its end, and not with another secret."""
    credentials = Credentials("id", "secret")
    token = credentials.issue(now=1000.0)
    assert credentials.valid(token, now=1000.0 + auth.TOKEN_LIFE - 1)
    assert not credentials.valid(token, now=1000.0 + auth.TOKEN_LIFE + 1)
    assert not Credentials("id", "other").valid(token, now=1000.0)
    assert "secret" not in repr(credentials)


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves: one owner at a time.

    A shell-safe name for any folder; a foreign link in its place is refused.
    """
    home = Home(tmp_path / "data dir")
    home.prepare()
    lock = home.claim()
    with pytest.raises(StartError, match="already running"):
        home.claim()
    os.close(lock)
    os.close(home.claim())
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    link = home.shell_safe_root()
    assert " " not in str(link)
    assert link.resolve() == home.root
    assert home.shell_safe_root() == link
    home.drop_link()
    assert not link.is_symlink()
    home.drop_link()
    link.symlink_to(tmp_path)
    with pytest.raises(StartError, match="stands in the way"):
        home.shell_safe_root()
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot create"):
        Home(tmp_path / "file" / "data").prepare()


def test_small_files(tmp_path: Path) -> None:
    write_json(tmp_path / "f", {"a": 1})
    assert read_json(tmp_path / "f") == {"a": 1}
    (tmp_path / "f").write_text("[1")
    assert read_json(tmp_path / "f") == read_json(tmp_path / "absent") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_workplace_lock_is_the_proof_of_life(tmp_path: Path) -> None:
    workplace = Workplace(tmp_path)
    assert not workplace.supervised()
    held = workplace.claim()
    assert held is not None
    workplace.write_state({"pid": 42})
    assert workplace.supervised()
    assert workplace.supervisor_pid() == 42
    os.close(held)
    assert workplace.supervisor_pid() is None


def test_the_environment_is_an_allow_list() -> None:
    given_ = {
        "PATH": "p",
        "OMP_NUM_THREADS": "2",
        "AICORE_SERVICE_KEY": "s",
        "GITHUB_TOKEN": "s",
        "PYTHONPATH": "x",
    }
    assert filtered(given_) == {"PATH": "p", "OMP_NUM_THREADS": "2"}


def test_database_versions(tmp_path: Path) -> None:
    """Proves: a newer or damaged file is refused with a reason; an existing one is opened as it is."""
    Database(tmp_path / "db").close()
    database = Database(tmp_path / "db")
    assert database.connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    database.connection.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="newer version"):
        Database(tmp_path / "db")
    (tmp_path / "bad").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="not a usable database"):
        Database(tmp_path / "bad")


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")

    def half() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO resource_groups VALUES ('x', '[]', '')")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert database.count("SELECT count(*) FROM resource_groups") == 0


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """50,000 executions with one output each."""
    store = Store(tmp_path_factory.mktemp("large") / "db")
    moment = "2026-01-01T00:00:00Z"
    with store._database.write() as connection:
        connection.executemany(
            "INSERT INTO executions (id, resource_group, configuration_id, configuration_name, scenario_id,"
            " executable_id, status, target_status, status_message, status_details, created_at, modified_at)"
            f" VALUES (?,'default',?,'c','s',?,'COMPLETED','COMPLETED','','{{}}','{moment}','{moment}')",
            ((f"e{n:015x}", f"conf-{n % 5000}", f"exec-{n % 100}") for n in range(50_000)),
        )
        connection.executemany(
            "INSERT INTO artifacts (id, resource_group, name, kind, url, scenario_id, description, labels,"
            " execution_id, created_at, modified_at)"
            f" VALUES (?,'default','m','model','ai://default/x','s','','[]',?,'{moment}','{moment}')",
            ((f"artifact-{n}", f"e{n:015x}") for n in range(50_000)),
        )
    return store


def test_lists_of_50000(large: Store, benchmark_seconds: Any) -> None:
    """Proves.

    Lists, filters and counts over 50,000 rows stay fast, outputs included, by index and without N+1.
    """
    executions: Executions = large.executions
    everything = Where().equal("resource_group", "default")
    with benchmark_seconds(2.0):
        assert len(executions.page(everything, Page(10_000, 0), reduced=False)) == 10_000
    with benchmark_seconds(0.5):
        assert executions.count(everything) == 50_000
        last = executions.page(everything, Page(10, 49_990), reduced=False)
        assert last[-1]["id"] == "e" + "0" * 15
        assert len(last[-1]["outputArtifacts"]) == 1
    with benchmark_seconds(0.2):
        chosen = Where().equal("resource_group", "default").equal("configuration_id", "conf-7")
        assert len(executions.page(chosen, Page(), reduced=False)) == 10
        assert executions.active() == []


def test_lists_use_indices(large: Store) -> None:
    """Proves: no filter of the API makes SQLite read a whole table."""
    for column in ("resource_group", "configuration_id", "scenario_id", "executable_id", "status"):
        where = "resource_group = 'default'" + ("" if column == "resource_group" else f" AND {column} = 'x'")
        sql = f"EXPLAIN QUERY PLAN SELECT * FROM executions WHERE {where} ORDER BY seq DESC LIMIT 10"
        plan = " ".join(row["detail"] for row in large._database.all(sql))
        assert "SEARCH" in plan
        assert "TEMP B-TREE" not in plan
