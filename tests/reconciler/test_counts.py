"""Figures of a dataset: counted by its check, kept with its upload, shown beside those of the one before."""

from __future__ import annotations

import json
from pathlib import Path

from reconciler.check import Check, run_checks
from reconciler.counts import changes, checked_counts, stored_counts, with_counts
from reconciler.dataset import manifest
from reconciler.directorystore import DirectoryStore
from reconciler.plan_model import Action, Category, Change, FieldChange, Plan, Stage, StageName
from reconciler.upload import upload

REPORT = {"ok": True, "pictures": 12, "splits": {"train": 9, "test": 3}, "classes": {"0": 40, "1": 2}}
COUNTS = {"pictures": 12, "splits.train": 9, "splits.test": 3, "classes.0": 40, "classes.1": 2}


def _check(folder: Path, report: object, key: str) -> Check:
    code = f"print({json.dumps(report)!r})"
    return Check("dataset/s/d", ("-c", code), folder, key)


def _plan(before: str | None) -> Plan:
    url = FieldChange("url", before, "ai://default/d/new")
    change = Change("dataset/s/d", Action.CREATE, Category.DATA, "new content", "d", (url,))
    return Plan("local", (Stage(StageName.REGISTER, (change,)),))


def test_what_the_checks_agree_on(tmp_path: Path) -> None:
    """Two configurations may split the same pictures differently: their splits are left out then."""
    first = _check(tmp_path, REPORT, "1")
    assert checked_counts([first], tmp_path) == {}
    run_checks([first], tmp_path)
    assert checked_counts([first], tmp_path) == COUNTS
    second = _check(tmp_path, REPORT | {"splits": {"train": 10, "test": 2}}, "2")
    run_checks([second], tmp_path)
    agreed = {"pictures": 12, "classes.0": 40, "classes.1": 2}
    assert checked_counts([first, second], tmp_path) == agreed
    (tmp_path / "checks" / "1").write_bytes(b"")
    assert checked_counts([first], tmp_path) == {}


def test_a_checker_that_counts_nothing(tmp_path: Path) -> None:
    """Figures are notes: without them everything works."""
    check = _check(tmp_path, {"ok": True, "classes": ["0"], "splits": None, "pictures": "many"}, "1")
    run_checks([check], tmp_path)
    assert checked_counts([check], tmp_path) == {}


def test_before_and_after(tmp_path: Path) -> None:
    """The figures of the dataset before are those beside its upload; the cache has no part in it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")
    store = DirectoryStore(tmp_path / "store")
    upload(store, "d/old", manifest(tmp_path / "data"), notes=COUNTS)
    after = {**COUNTS, "pictures": 13, "classes.0": 43, "classes.2": 1}
    made = with_counts(_plan("ai://default/d/old"), {"s/d": after}, {"default": store})
    assert made.changes[0].fields[1:] == (
        FieldChange("counts.pictures", "12", "13"),
        FieldChange("counts.classes.0", "40", "43"),
        FieldChange("counts.classes.2", None, "1"),
    )


def test_a_plan_is_the_same_with_and_without_them() -> None:
    """A machine without the checker applies what one with it has planned."""
    plain = _plan(None)
    noted = with_counts(plain, {"s/d": COUNTS}, {})
    assert len(noted.changes[0].fields) == 6
    assert noted.digest == plain.digest
    assert with_counts(plain, {}, {}) == plain


def test_what_cannot_be_read_is_no_figure(tmp_path: Path) -> None:
    """An upload of an earlier version, another store, a marker that is none."""
    store = DirectoryStore(tmp_path)
    store.write("d/old.manifest.json", b"[")
    store.write("d/list.manifest.json", b"[]")
    stores = {"default": store}
    for url in (
        None,
        "",
        "ai://other/d/old",
        "ai://default/d/old",
        "ai://default/d/list",
        "ai://default/d/no",
    ):
        assert stored_counts(url, stores) == {}


def test_a_long_list_is_cut() -> None:
    """Thousands of classes are no plan that anybody reads."""
    found = changes({}, {f"classes.{n}": n for n in range(100)})
    assert len(found) == 31
    assert found[-1].after == "70 more differ"
