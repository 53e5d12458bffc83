"""A model is replaced while the server answers: in one step, and by nothing worse."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from trainer.serving.labels import parse_models
from trainer.serving.registry import Registry
from trainer.serving.reload import Reloader, Sight, signature

Serve = Callable[..., TestClient]
Maker = Callable[..., Path]
Registries = Callable[..., Registry]


class World:
    """A registry over one folder, and a reloader that looks when it is told to."""

    def __init__(self, folder: Path, make_registry: Registries) -> None:
        self.folder = folder
        self.registry = make_registry({"model": folder})
        self.registry.start(lambda: None).join()
        self.told: list[tuple[str, str]] = []
        self.reloader = Reloader(self.registry, lambda *outcome: self.told.append(outcome))

    def look(self, times: int = 2, *, at_once: bool = False) -> None:
        async def looks() -> None:
            for _ in range(times):
                await self.reloader.look(at_once=at_once)

        asyncio.run(looks())

    @property
    def version(self) -> str:
        return self.registry.served("model").version

    def put(self, new: Path) -> None:
        """The files of another model, description last, as a training writes them."""
        for name in ("model.onnx", "model.json"):
            shutil.copyfile(new / name, self.folder / f"{name}.new")
            (self.folder / f"{name}.new").replace(self.folder / name)


@pytest.fixture
def world(make_detector: Maker, tmp_path: Path, make_registry: Registries) -> World:
    return World(make_detector(tmp_path / "model"), make_registry)


def changed(make_detector: Maker, folder: Path, **card: object) -> Path:
    """A detector that says other things of itself."""
    make_detector(folder)
    document = json.loads((folder / "model.json").read_text(encoding="utf-8")) | card
    (folder / "model.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_a_changed_model_is_taken_once_it_stands_still(
    world: World, make_detector: Maker, tmp_path: Path, serve: Serve, picture: Callable[..., bytes]
) -> None:
    """Answers are those of the new one, status and metadata say its version."""
    before = world.version
    world.put(changed(make_detector, tmp_path / "new", score_threshold=0.0001))
    world.look(1)
    assert world.version == before  # it may still be being written
    world.look(1)
    assert world.version != before
    assert world.told == [("model", "ok")]
    client = serve(registry=world.registry)
    assert client.get("/v2/models/model").json()["versions"] == [world.version]
    body = {"images": base64.b64encode(picture("#010000")).decode()}
    assert client.post("/v1/models/model:predict", json=body).json()[0]["pred_classes"] == [0]


def test_an_unchanged_model_is_left_alone(world: World) -> None:
    served = world.registry.served("model")
    world.look(5)
    assert world.told == []
    assert world.registry.served("model") is served


def test_when_asked_it_is_loaded_at_once_unchanged_too(world: World) -> None:
    """SIGHUP."""
    served = world.registry.served("model")
    world.look(1, at_once=True)
    assert world.told == [("model", "ok")]
    assert world.registry.served("model") is not served


@pytest.mark.parametrize("damage", ["junk", "torn", "gone", "other task", "other version"])
def test_a_broken_model_leaves_the_old_one_and_says_so(
    damage: str, world: World, make_detector: Maker, tmp_path: Path, colour_classifier: Path,
    caplog: pytest.LogCaptureFixture, serve: Serve, picture: Callable[..., bytes],
) -> None:  # fmt: skip
    """Once, not at every look; a good one after it is taken."""
    before = world.version
    if damage == "other task":
        world.put(colour_classifier)
    elif damage == "gone":
        (world.folder / "model.json").unlink()
    elif damage == "other version":
        world.put(changed(make_detector, tmp_path / "odd", format_version=99))
    else:
        content = (world.folder / "model.onnx").read_bytes()
        (world.folder / "model.onnx").write_bytes(b"junk" if damage == "junk" else content[:-100])
    world.look(6)
    assert world.version == before
    assert world.told == [("model", "failed")]
    assert caplog.text.count("stays as it was") == 1
    client = serve(registry=world.registry)
    described = client.get("/v1/models/model").json()
    assert described["status"] == "ready"
    assert described["refused"]
    body = {"images": base64.b64encode(picture("red")).decode()}
    assert client.post("/v1/models/model:predict", json=body).json()[0]["pred_classes"] == [0]
    world.put(changed(make_detector, tmp_path / "good", score_threshold=0.25))
    world.look()
    assert world.told[-1] == ("model", "ok")
    assert "refused" not in client.get("/v1/models/model").json()


def test_a_request_under_way_ends_with_the_model_it_began_with(
    world: World, make_detector: Maker, tmp_path: Path
) -> None:
    """What was handed out stays whole when its successor is served."""
    served = world.registry.served("model")
    world.put(changed(make_detector, tmp_path / "new", classes=["a", "b", "c"]))
    world.look()
    assert world.registry.served("model").card.classes == ("a", "b", "c")
    assert served.model.card.classes == ("0", "1", "2")

    async def late() -> list[object]:
        pixels = served.model.prepare(Image.new("RGB", (64, 64), "red"))
        return [found.as_answer() for found in await served.batcher.submit([pixels], [(64, 64)])]

    assert asyncio.run(late())[0]["pred_classes"] == [0]  # type: ignore[index]


def test_a_model_may_move_below_the_place_that_was_named(
    make_detector: Maker, tmp_path: Path, make_registry: Registries
) -> None:
    """Every execution writes into a folder of its own."""
    root = tmp_path / "models"
    make_detector(root / "run-1" / "model")
    (place,) = parse_models(f"{root}[model]")
    before = signature(place)
    shutil.rmtree(root / "run-1")
    assert signature(place) is None
    make_detector(root / "run-2" / "model")
    assert signature(place) not in (None, before)
    assert place.locate() == root / "run-2" / "model"


def test_sights_decide_once() -> None:
    """Changed, still changing, settled, decided; and the way back is a change like any other."""
    a, b = ((("a", 1, 1, 1),), (("b", 1, 1, 1),))
    sight = Sight(a, a)
    looks = [(a, False), (b, False), (b, True), (b, False), (None, False), (a, False), (a, True), (a, False)]
    assert [(now, sight.due(now, at_once=False)) for now, _ in looks] == looks
    assert sight.due(a, at_once=True)
