"""The locks of packages: complete, hashed, in step with what the tests run, and made by one command."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.images import pin
from generator.images.requirements import Pin, lock_text, normalized, parse_lock

LISTS = sorted(pin.FOLDER.glob("*.in"))
CONSTRAINTS = Path(__file__).parents[3] / "constraints.txt"

PINS = st.builds(
    Pin,
    st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True),
    st.from_regex(r"[0-9]\.[0-9](\+cpu)?", fullmatch=True),
    st.lists(st.from_regex("[0-9a-f]{64}", fullmatch=True), min_size=1, max_size=3).map(tuple),
)


def _lock(name: str) -> dict[str, Pin]:
    text = (pin.FOLDER / f"{name}.txt").read_text()
    return {item.name: item for item in parse_lock(text)}


def _listed(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.partition(",")[0].split("==") for line in lines)


@given(st.lists(PINS, max_size=6))
def test_a_lock_survives_being_written(pins: list[Pin]) -> None:
    """Sorted, so that two locks compare line by line."""
    assert parse_lock(lock_text(pins)) == sorted(pins)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_listed_package_is_locked_in_its_version(path: Path) -> None:
    """A list that was edited without making its lock anew is found here."""
    locked = {name: item.version for name, item in _lock(path.stem).items()}
    assert _listed(path).items() <= locked.items()


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_a_lock_pins_every_package_by_hash_and_names_no_place(path: Path) -> None:
    """No index, no folder of a machine, no package without a hash."""
    text = path.with_suffix(".txt").read_text()
    entries = [line for line in text.splitlines() if re.match("[a-z]", line)]
    assert len(entries) == len(_lock(path.stem)) > 20
    assert all(item.hashes for item in _lock(path.stem).values())
    assert not re.search(r"https?:|file:|/\w+/|--(?!hash)", text)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_images_hold_the_versions_that_the_tests_run(path: Path) -> None:
    """constraints.txt names what this repository is built and tested with."""
    tested = {
        normalized(name): version
        for name, _, version in (line.partition("==") for line in CONSTRAINTS.read_text().splitlines())
        if version
    }
    locked = {name: item.version.partition("+")[0] for name, item in _lock(path.stem).items()}
    assert {name: tested[name] for name in locked if name in tested} == {
        name: locked[name] for name in locked if name in tested
    }


def test_each_lock_holds_the_torch_it_should() -> None:
    """CPU: the small build and nothing of CUDA. GPU: CUDA's packages. Inference: no torch at all."""
    cpu, gpu, inference = (_lock(name) for name in ("training-cpu", "training-gpu", "inference"))
    assert cpu["torch"].version == "2.13.0+cpu"
    assert not [name for name in cpu if name.startswith(("nvidia-", "triton"))]
    assert gpu["torch"].version == "2.13.0"
    assert len([name for name in gpu if name.startswith("nvidia-")]) > 10
    assert "torch" not in inference
    assert {"onnxruntime", "fastapi", "uvicorn", "pillow"} <= inference.keys()


def test_a_resolved_list_becomes_pins() -> None:
    """Of each package the hashes of the wheels that fit; a source archive is no wheel."""
    document = {
        "packages": [
            {
                "name": "numpy",
                "version": "2.4.6",
                "sdist": {"hashes": {"sha256": "c" * 64}},
                "wheels": [{"hashes": {"sha256": "b" * 64}}, {"hashes": {"sha256": "a" * 64}}],
            }
        ]
    }
    assert pin.pins(document) == [Pin("numpy", "2.4.6", ("a" * 64, "b" * 64))]


def test_a_package_that_comes_as_source_only_is_refused() -> None:
    """The image has no compiler."""
    document = {"packages": [{"name": "old", "version": "1", "sdist": {"hashes": {"sha256": "c" * 64}}}]}
    with pytest.raises(pin.PinError, match="old 1 has no wheel"):
        pin.pins(document)


def test_the_command_writes_a_lock_beside_each_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """uv is asked for the images' platform, with the folders and constraints that were given."""
    asked: list[list[str]] = []

    def uv(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        lock = f'[[packages]]\nname = "a"\nversion = "1"\nwheels = [{{hashes = {{sha256 = "{"f" * 64}"}}}}]\n'
        Path(command[command.index("--output-file") + 1]).write_text(lock)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("generator.images.pin.shutil.which", lambda name, path=None: "uv")
    monkeypatch.setattr("generator.images.pin.subprocess.run", uv)
    (tmp_path / "mine.in").write_text("a==1\n")
    assert pin.main(["--folder", str(tmp_path), "--wheels", "w", "--constraints", "c.txt"]) == 0
    assert capsys.readouterr().out == "mine.txt: 1 packages\n"
    assert (tmp_path / "mine.txt").read_text().endswith(f"a==1 \\\n    --hash=sha256:{'f' * 64}\n")
    (command,) = asked
    assert command[command.index("--python-platform") + 1] == pin.PLATFORM
    assert command[command.index("--find-links") + 1] == "w"
    assert command[command.index("--constraints") + 1] == "c.txt"


def test_what_cannot_be_resolved_is_said_in_uv_s_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old lock stays."""
    monkeypatch.setattr("generator.images.pin.shutil.which", lambda name, path=None: "uv")
    failed = subprocess.CompletedProcess([], 1, "", "no solution found: a==1\n")
    monkeypatch.setattr("generator.images.pin.subprocess.run", lambda *a, **k: failed)
    (tmp_path / "mine.in").write_text("a==1\n")
    assert pin.main(["--folder", str(tmp_path)]) == 1
    assert "no solution found: a==1" in capsys.readouterr().err
    assert not (tmp_path / "mine.txt").exists()


def test_without_uv_the_command_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a tool of developers, and no dependency of a user."""
    monkeypatch.setattr("generator.images.pin.shutil.which", lambda name, path=None: None)
    (tmp_path / "mine.in").write_text("a==1\n")
    assert pin.main(["mine", "--folder", str(tmp_path)]) == 1
    assert "pip install uv" in capsys.readouterr().err
