"""Batch processing from the command line: results, tables, bad pictures, going on after a kill."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from trainer.__main__ import main
from trainer.batch.pipeline import Done
from trainer.batch.run import BatchRun
from trainer.parameters.batch import TABLE
from trainer.tracking import Tracker

ROOT = Path(__file__).parents[3]
Paint = Callable[..., Path]


def batch(data: Path, model: Path, results: Path, **settings: str) -> int:
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    folders = ["--datain", str(data), "--modelin", str(model), "--results", str(results)]
    return main(["batch-processing", *folders, *words])


def lines(results: Path) -> list[dict[str, Any]]:
    text = (results / "results.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(tmp_path: Path, paint: Paint) -> Path:
    """Three pictures in a folder and a sub-folder, one file that is none, one bad picture."""
    folder = tmp_path / "data"
    paint(folder / "b.png", "green")
    paint(folder / "a.jpg", "red")
    paint(folder / "inner" / "c d ü.png", "dark", (200, 50))
    (folder / "notes.txt").write_text("no picture")
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    return folder


def test_a_folder_gives_a_line_for_every_picture_in_order(
    data: Path, colour_detector: Path, tmp_path: Path
) -> None:
    """Boxes are in the pixels of the picture, which is twice as large as the network's input."""
    assert batch(data, colour_detector, tmp_path / "out") == 0
    records = lines(tmp_path / "out")
    assert [record["picture"] for record in records] == ["a.jpg", "b.png", "broken.jpg", "inner/c d ü.png"]
    (box,) = records[0]["boxes"]
    assert (box["class"], box["box"]) == ("0", [16, 16, 80, 112])
    assert records[0]["reading"] == "0"
    assert (records[3]["width"], records[3]["height"], records[3]["boxes"]) == (200, 50, [])


def test_tables_and_summary_say_the_same(data: Path, colour_detector: Path, tmp_path: Path) -> None:
    """Bad pictures are listed with their reason and end nothing."""
    results = tmp_path / "out"
    assert batch(data, colour_detector, results) == 0
    rows = table(results / "results.csv")
    assert [(row["picture"], row["class"], row["x1"]) for row in rows] == [
        ("a.jpg", "0", "16.0"),
        ("b.png", "1", "16.0"),
    ]
    assert [row["reading"] for row in table(results / "readings.csv")] == ["0", "1", ""]
    (bad,) = table(results / "bad_pictures.csv")
    assert (bad["picture"], bad["code"]) == ("broken.jpg", "picture-unreadable")
    assert bad["reason"]
    summary = json.loads((results / "summary.json").read_text(encoding="utf-8"))
    assert (summary["pictures"], summary["bad_pictures"]) == (4, 1)
    assert summary["classes"] == {"0": 1, "1": 1, "2": 0}
    assert not list(results.glob("*.partial"))


def test_without_bad_pictures_there_is_no_list_of_them(
    tmp_path: Path, paint: Paint, colour_detector: Path
) -> None:
    paint(tmp_path / "data" / "a.png")
    assert batch(tmp_path / "data", colour_detector, tmp_path / "out") == 0
    assert not (tmp_path / "out" / "bad_pictures.csv").exists()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "alone"])
def test_archives_are_read_as_folders(kind: str, data: Path, colour_detector: Path, tmp_path: Path) -> None:
    """In the order of the archive; what is no picture is passed over."""
    store = tmp_path / "store"
    store.mkdir()
    suffix = "zip" if kind == "alone" else kind
    archive = store / f"pictures.{suffix}"
    members = [("x.jpg", data / "a.jpg"), ("sub/b.png", data / "b.png"), ("n.txt", data / "notes.txt")]
    if suffix == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for name, path in members:
                packed.write(path, name)
    else:
        with tarfile.open(archive, "w:gz" if suffix == "tar.gz" else "w") as packed_tar:
            for name, path in members:
                packed_tar.add(path, name)
    assert batch(archive if kind == "alone" else store, colour_detector, tmp_path / "out") == 0
    records = lines(tmp_path / "out")
    assert [record["picture"] for record in records] == [
        f"{archive.name}/x.jpg",
        f"{archive.name}/sub/b.png",
    ]
    assert [record["reading"] for record in records] == ["0", "1"]
    assert not list(tmp_path.rglob("x.jpg"))


def test_a_torn_archive_gives_what_it_has_and_is_listed(
    data: Path, colour_detector: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    with tarfile.open(store / "pictures.tar", "w") as archive:
        archive.add(data / "a.jpg", "a.jpg")
        noise = io.BytesIO()
        Image.effect_noise((200, 200), 90).save(noise, "PNG")
        member = tarfile.TarInfo("z.png")
        member.size = len(noise.getvalue())
        archive.addfile(member, io.BytesIO(noise.getvalue()))
    whole = (store / "pictures.tar").read_bytes()
    (store / "pictures.tar").write_bytes(whole[: 512 * 6])
    (store / "fake.zip").write_bytes(b"no archive")
    assert batch(store, colour_detector, tmp_path / "out") == 0
    faults = {record["picture"]: record.get("error") for record in lines(tmp_path / "out")}
    assert faults["pictures.tar/a.jpg"] is None
    assert faults["pictures.tar/z.png"] == "picture-unreadable"
    assert faults["fake.zip"] == "archive-unreadable"


SLIPS = ("../x.jpg", "/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_that_lead_out_of_an_archive_are_refused(
    kind: str, data: Path, colour_detector: Path, tmp_path: Path
) -> None:
    """Parents, roots and drives; each is listed with its reason, nothing is written beside the results."""
    store, content = tmp_path / "store", (data / "a.jpg").read_bytes()
    store.mkdir()
    names = (*SLIPS, "good.jpg")
    if kind == "zip":
        with zipfile.ZipFile(store / "p.zip", "w") as packed:
            for name in names:
                packed.writestr(name, content)
    else:
        with tarfile.open(store / "p.tar", "w") as packed_tar:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                packed_tar.addfile(member, io.BytesIO(content))
    assert batch(store, colour_detector, tmp_path / "out", draw_boxes="true") == 0
    records = lines(tmp_path / "out")
    assert [record.get("error") for record in records] == ["path-escape"] * len(SLIPS) + [None]
    assert not list(tmp_path.rglob("x.jpg"))


@pytest.mark.parametrize("kind", ["zip", "tar", "hard"])
def test_links_in_archives_are_refused(kind: str, data: Path, colour_detector: Path, tmp_path: Path) -> None:
    """Neither followed on this machine nor within the archive."""
    store = tmp_path / "store"
    store.mkdir()
    secret = data / "a.jpg"
    if kind == "zip":
        with zipfile.ZipFile(store / "p.zip", "w") as packed:
            info = zipfile.ZipInfo("link.jpg")
            info.external_attr = 0o120777 << 16
            packed.writestr(info, str(secret))
            packed.write(secret, "good.jpg")
    else:
        with tarfile.open(store / "p.tar", "w") as packed_tar:
            packed_tar.add(secret, "good.jpg")
            member = tarfile.TarInfo("link.jpg")
            member.type = tarfile.LNKTYPE if kind == "hard" else tarfile.SYMTYPE
            member.linkname = "good.jpg" if kind == "hard" else str(secret)
            packed_tar.addfile(member)
    assert batch(store, colour_detector, tmp_path / "out") == 0
    faults = {record["picture"]: record.get("error") for record in lines(tmp_path / "out")}
    archive = "p.zip" if kind == "zip" else "p.tar"
    assert faults == {f"{archive}/good.jpg": None, f"{archive}/link.jpg": "path-escape"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "hidden"])
def test_an_archive_that_grows_beyond_measure_is_given_up(
    kind: str, data: Path, colour_detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the word of its members, before they are unpacked; what came before is kept.

    hidden: the bulk is no picture, but lies on the way to the next one in a packed tar.
    """
    monkeypatch.setattr("trainer.batch.sources.FREE_GROWTH", 100_000)
    store = tmp_path / "store"
    store.mkdir()
    zeros = bytes(500_000)
    if kind == "zip":
        with zipfile.ZipFile(store / "p.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            packed.write(data / "a.jpg", "a.jpg")
            packed.writestr("b.jpg", zeros)
            packed.write(data / "b.png", "c.png")
    else:
        with tarfile.open(store / "p.tar.gz", "w:gz") as packed_tar:
            packed_tar.add(data / "a.jpg", "a.jpg")
            member = tarfile.TarInfo("b.txt" if kind == "hidden" else "b.jpg")
            member.size = len(zeros)
            packed_tar.addfile(member, io.BytesIO(zeros))
            packed_tar.add(data / "b.png", "c.png")
    assert batch(store, colour_detector, tmp_path / "out") == 0
    first, last = lines(tmp_path / "out")
    assert first["picture"].endswith("/a.jpg")
    assert "error" not in first
    assert (last["picture"], last["error"]) == (f"p.{'zip' if kind == 'zip' else 'tar.gz'}", "archive-bomb")


def test_a_member_that_lies_about_its_size_is_cut_off(
    data: Path, colour_detector: Path, tmp_path: Path
) -> None:
    """The directory of the zip says 10 bytes, its content is half a million."""
    store = tmp_path / "store"
    store.mkdir()
    with zipfile.ZipFile(store / "p.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(data / "a.jpg", "a.jpg")
        packed.writestr("b.jpg", bytes(500_000))
    content = (store / "p.zip").read_bytes()
    (store / "p.zip").write_bytes(
        content.replace((500_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    )
    assert batch(store, colour_detector, tmp_path / "out") == 0
    assert [record.get("error") for record in lines(tmp_path / "out")] == [None, "picture-unreadable"]


class Killed(BaseException):
    """What kill -9 looks like from inside: nobody catches it and nothing is tidied up."""


@pytest.mark.parametrize("torn", [b"", b'{"picture": "0', b'{"picture": "00'])
def test_a_killed_run_goes_on_without_duplicates(
    torn: bytes, tmp_path: Path, paint: Paint, colour_detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two pictures or within a line; the journal ends as that of an undisturbed run."""
    for number in range(12):
        paint(tmp_path / "data" / f"{number:02d}.png", ("red", "green", "blue")[number % 3])
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert batch(tmp_path / "data", colour_detector, whole, batch_size="2") == 0
    original = BatchRun._records

    def die(self: BatchRun, done: list[Done], first: int) -> Any:
        if first == 6:
            raise Killed
        return original(self, done, first)

    with monkeypatch.context() as patch:
        patch.setattr(BatchRun, "_records", die)
        with pytest.raises(Killed):
            batch(tmp_path / "data", colour_detector, killed, batch_size="2")
    assert len(lines(killed)) == 6
    with (killed / "results.jsonl").open("ab") as journal:
        journal.write(torn)
    assert batch(tmp_path / "data", colour_detector, killed, batch_size="3") == 0
    for name in ("results.jsonl", "results.csv", "readings.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    summary = json.loads((killed / "summary.json").read_text(encoding="utf-8"))
    assert (summary["pictures"], summary["pictures_this_time"]) == (12, 6)


def test_a_complete_run_repeated_computes_nothing(data: Path, colour_detector: Path, tmp_path: Path) -> None:
    results = tmp_path / "out"
    assert batch(data, colour_detector, results) == 0
    before = (results / "results.jsonl").read_bytes()
    assert batch(data, colour_detector, results) == 0
    assert (results / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize("change", ["added", "removed", "parameters", "stranger"])
def test_results_of_something_else_are_refused(
    change: str, data: Path, colour_detector: Path, tmp_path: Path, paint: Paint,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Nothing is overwritten, and the message says which way out."""
    results = tmp_path / "out"
    settings: dict[str, str] = {}
    if change == "stranger":
        results.mkdir()
        (results / "results.jsonl").write_text("{}\n")
    else:
        assert batch(data, colour_detector, results) == 0
    if change == "added":
        paint(data / "aa.png")
    elif change == "removed":
        (data / "inner" / "c d ü.png").unlink()
    elif change == "parameters":
        settings = {"score_threshold": "0.9"}
    before = (results / "results.jsonl").read_bytes()
    assert batch(data, colour_detector, results, **settings) == 2
    assert "choose an empty" in capsys.readouterr().err
    assert (results / "results.jsonl").read_bytes() == before


def test_thresholds_replace_those_of_the_model(tmp_path: Path, paint: Paint, colour_detector: Path) -> None:
    """The second box has nine tenths of the score and an overlap of 0.78."""
    paint(tmp_path / "data" / "a.png")
    for number, (settings, boxes) in enumerate(
        [
            ({}, 1),
            ({"iou_threshold": "0.9"}, 2),
            ({"iou_threshold": "0.9", "score_threshold": "0.95"}, 1),
            ({"score_threshold": "0.9999"}, 1),
        ]
    ):
        assert batch(tmp_path / "data", colour_detector, tmp_path / f"out{number}", **settings) == 0
        assert len(lines(tmp_path / f"out{number}")[0]["boxes"]) == boxes


def test_boxes_are_drawn_on_request(data: Path, colour_detector: Path, tmp_path: Path) -> None:
    """Under names of our own, which the journal gives."""
    results = tmp_path / "out"
    assert batch(data, colour_detector, results, draw_boxes="true") == 0
    drawn = [record["drawn"] for record in lines(results) if "drawn" in record]
    assert drawn == ["drawn/0000001_a.jpg", "drawn/0000002_b.jpg", "drawn/0000004_c_d_.jpg"]
    with Image.open(results / drawn[1]) as picture:
        red, green, _ = picture.convert("RGB").getpixel((16 * 4, 64 * 4))  # type: ignore[misc]
    assert red > 150
    assert green < 150


def test_turned_pictures_are_processed_upright(tmp_path: Path, paint: Paint, colour_detector: Path) -> None:
    """A telephone's picture lies on its side; the boxes are those of the picture as it is seen."""
    exif = Image.Exif()
    exif[0x0112] = 6
    paint(tmp_path / "data" / "a.jpg", "red", (100, 40), exif=exif)
    assert batch(tmp_path / "data", colour_detector, tmp_path / "out") == 0
    (record,) = lines(tmp_path / "out")
    assert (record["width"], record["height"]) == (40, 100)


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        ("no data", "is no folder"),
        ("empty", "holds no picture"),
        ("all bad", "none of 1 pictures could be used"),
        ("no model", "holds no model"),
        ("results inside", "lies inside"),
        ("two models", "set model_file to one of one, two"),
        ("wrong file", "no model at"),
        ("outside", "lies outside"),
        ("gpu", "finds none here"),
    ],
)
def test_what_cannot_work_is_refused_with_two(
    arrange: str, words: str, tmp_path: Path, paint: Paint, make_detector: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """One clear last line each."""
    data, model, results = tmp_path / "data", make_detector(tmp_path / "model"), tmp_path / "out"
    settings: dict[str, str] = {}
    paint(data / "a.png")
    if arrange == "no data":
        data = tmp_path / "nowhere"
    elif arrange in ("empty", "all bad"):
        (data / "a.png").unlink() if arrange == "empty" else (data / "a.png").write_bytes(b"x")
    elif arrange == "no model":
        (model / "model.json").unlink()
    elif arrange == "results inside":
        results = data / "out"
    elif arrange == "two models":
        model = tmp_path / "models"
        make_detector(model / "one")
        make_detector(model / "two")
    elif arrange == "gpu":
        settings = {"accelerator": "gpu"}
    else:
        settings = {"model_file": "model_final.pth" if arrange == "wrong file" else "../data/a.png"}
    assert batch(data, model, results, **settings) == 2
    assert words in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("wanted", ["", "two", "two/model.onnx"])
def test_the_model_is_found_by_folder_or_file(
    wanted: str, tmp_path: Path, paint: Paint, make_detector: Callable[..., Path]
) -> None:
    """AI Core puts an artifact's folder where it likes: the only model below is taken."""
    make_detector(tmp_path / "models" / "two")
    paint(tmp_path / "data" / "a.png")
    assert batch(tmp_path / "data", tmp_path / "models", tmp_path / "out", model_file=wanted) == 0


def test_counts_go_to_the_tracker(data: Path, colour_detector: Path, tmp_path: Path) -> None:
    """With the label data_split=batch, and the progress at its end."""
    sent: list[Any] = []
    notes: list[Any] = []
    tracker = Tracker(lambda metrics, note: (sent.extend(metrics), notes.append(note))[0])
    BatchRun(TABLE.parse({}), data, colour_detector, tmp_path / "out", tracker).run()
    tracker.close()
    values = {metric.name: metric.value for metric in sent}
    assert (values["pictures"], values["bad_pictures"]) == (4, 1)
    assert {label.value for metric in sent for label in metric.labels} == {"batch"}
    assert '"stage": "predict"' in notes[-1]["corespec/progress"]


def test_no_torch_is_loaded(data: Path, colour_detector: Path, tmp_path: Path) -> None:
    """The image for batch processing has none."""
    folders = ["--datain", data, "--modelin", colour_detector, "--results", tmp_path / "out"]
    program = (
        "import sys\nfrom trainer.__main__ import main\n"
        f"assert main(['batch-processing', *{[str(part) for part in folders]!r}]) == 0\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not {'torch', 'onnx', 'matplotlib', 'fastapi', 'rich'} & loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
