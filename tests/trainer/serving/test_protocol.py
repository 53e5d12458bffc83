"""The old protocol: every form of a request, every error with its code and status."""

from __future__ import annotations

import base64
import json
import shutil
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from trainer.inference.card import ModelError
from trainer.inference.models import Model, Settings, load_model
from trainer.serving.registry import Registry
from trainer.serving.requests import Asked, understand

Registries = Callable[..., Registry]
Serve = Callable[..., TestClient]
Picture = Callable[..., bytes]
PREDICT = "/v1/models/model:predict"


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def fault(answer: Any) -> tuple[int, int]:
    """Status and code of an answer that has the shape of an error and nothing else."""
    document = answer.json()
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message", "details"}
    assert document["error"]["message"]
    assert isinstance(document["error"]["details"], list)
    return answer.status_code, document["error"]["code"]


def test_one_picture_as_text(serve: Serve, picture: Picture) -> None:
    """A list with one answer; boxes in the pixels of the picture, classes as indices."""
    answer = serve().post(PREDICT, json={"images": text(picture("lime"))})
    assert answer.status_code == 200
    (found,) = answer.json()
    assert set(found) == {"scores", "pred_boxes", "pred_classes"}
    assert found["scores"] == pytest.approx([1.0], abs=0.01)
    assert found["pred_boxes"] == [[16, 16, 80, 112]]
    assert found["pred_classes"] == [1]


@pytest.mark.parametrize(
    "spell",
    [
        lambda content: text(content),
        lambda content: f"data:image/png;base64,{text(content)}",
        lambda content: base64.encodebytes(content).decode(),
    ],
    ids=["plain", "data url", "wrapped"],
)
def test_base64_as_clients_write_it(serve: Serve, picture: Picture, spell: Callable[[bytes], str]) -> None:
    answer = serve().post(PREDICT, json={"images": spell(picture("blue"))})
    assert answer.json()[0]["pred_classes"] == [2]


def test_a_list_keeps_its_order_beyond_one_batch(serve: Serve, picture: Picture) -> None:
    """More pictures than are computed at once, of different sizes."""
    colours = ["red", "lime", "blue", "black"] * 3
    images = [text(picture(colour, (20 + 9 * place, 50))) for place, colour in enumerate(colours)]
    answer = serve().post(PREDICT, json={"images": images})
    assert [found["pred_classes"] for found in answer.json()] == [[0], [1], [2], []] * 3


def test_multipart_files(serve: Serve, picture: Picture) -> None:
    """Files under any field name, and base64 text beside them."""
    files = [("images", ("a.png", picture("red"))), ("other", ("b.jpg", picture("lime", kind="JPEG")))]
    answer = serve().post(PREDICT, files=files, data={"images": text(picture("blue"))})
    assert sorted(found["pred_classes"][0] for found in answer.json()) == [0, 1, 2]


def test_several_models_by_label(serve: Serve, picture: Picture) -> None:
    """Labels are slugs: any spelling that gives the same one is the same model."""
    client = serve("meter-reader")
    body = {"images": text(picture())}
    for label in ("model", "meter-reader", "Meter Reader"):
        assert client.post(f"/v1/models/{label}:predict", json=body).status_code == 200
    assert [model["label"] for model in client.get("/v1/models").json()["models"]] == [
        "model",
        "meter-reader",
    ]


def test_status_and_description(serve: Serve) -> None:
    """The indices of an answer are places in ``classes``."""
    client = serve()
    assert client.get("/v1/status").json()["status"] == "ready"
    described = client.get("/v1/models/model").json()
    assert described["classes"] == ["0", "1", "2"]
    assert described["task"] == "object-detection"


def test_headers_of_the_ai_api_client_are_no_trouble(serve: Serve, picture: Picture) -> None:
    headers = {"Authorization": "Bearer token", "AI-Resource-Group": "default"}
    body = {"images": text(picture())}
    assert serve().post(PREDICT, json=body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (404, 10000000)),
        ("GET", "/v1", (404, 10000000)),
        ("POST", "/v1/models/model:sing", (404, 10000000)),
        ("GET", "/v1/models/model:predict", (405, 10000001)),
        ("PUT", "/v1/models/model:predict", (405, 10000001)),
        ("POST", "/v1/status", (405, 10000001)),
        ("POST", "/v1/models/other:predict", (404, 10000100)),
        ("GET", "/v1/models/other", (404, 10000100)),
        ("POST", "/v1/models/model:topk", (400, 10010301)),
        ("POST", "/v1/models/model:similarity", (400, 10010301)),
        ("POST", "/v1/models/other:sing", (404, 10000100)),
    ],
)
def test_addresses_and_methods(serve: Serve, method: str, path: str, expected: tuple[int, int]) -> None:
    assert fault(serve().request(method, path)) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"{}", b'{"images": []}', b'{"images": [1]}', b'{"images": {"a": 1}}', b"null",
        b'{"images": "not base64!"}', b'{"images": ["aGFsbG8="]}', b'{"images": ""}', b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
def test_what_is_no_picture_is_bad_input(serve: Serve, body: bytes) -> None:
    assert fault(serve().post(PREDICT, content=body)) == (400, 10000200)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"x"),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n%'),
    ],
)  # fmt: skip
def test_broken_forms_are_bad_input(serve: Serve, kind: str, body: bytes) -> None:
    answer = serve().post(PREDICT, content=body, headers={"Content-Type": kind})
    assert fault(answer) == (400, 10000200)


def test_the_bad_picture_of_a_list_is_named(serve: Serve, picture: Picture) -> None:
    images = [text(picture()), text(picture()[:200])]
    answer = serve().post(PREDICT, json={"images": images})
    assert fault(answer) == (400, 10000200)
    assert answer.json()["error"]["message"].startswith("image 1: picture-unreadable")
    assert answer.json()["error"]["details"][0]["image"] == 1


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(
        b"IEND", b""
    )  # fmt: skip


@pytest.mark.parametrize("size", [(1001, 1000), (50_000, 50_000), (2**31 - 1, 2**31 - 1)])
def test_pictures_with_too_many_pixels_are_refused(serve: Serve, size: tuple[int, int]) -> None:
    """On their header: a decompression bomb never gets memory."""
    answer = serve().post(PREDICT, json={"images": text(bomb(*size))})
    assert fault(answer) == (400, 10000200)


def test_a_request_with_too_many_bytes_is_refused_announced_or_not(serve: Serve) -> None:
    client = serve(request_bytes=1000)
    assert fault(client.post(PREDICT, content=b"x" * 1001)) == (400, 10000200)

    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 600, b"y" * 600]

    answer = client.post(PREDICT, content=chunks())
    assert fault(answer) == (400, 10000200)
    assert "1,000 bytes" in answer.json()["error"]["message"]
    form = {"a": ("a.png", b"x" * 2000)}
    assert fault(client.post(PREDICT, files=form)) == (400, 10000200)


def test_a_request_with_too_many_pictures_is_refused(serve: Serve, picture: Picture) -> None:
    client = serve(pictures=2)
    content = picture()
    assert client.post(PREDICT, json={"images": [text(content)] * 2}).status_code == 200
    assert fault(client.post(PREDICT, json={"images": [text(content)] * 3})) == (400, 10000200)
    files = [("f", (f"{number}.png", content)) for number in range(3)]
    assert fault(client.post(PREDICT, files=files)) == (400, 10000200)


def test_a_request_that_takes_too_long_is_answered(serve: Serve, picture: Picture) -> None:
    answer = serve(timeout=1e-6).post(PREDICT, json={"images": text(picture())})
    assert fault(answer) == (400, 10020400)


def test_a_busy_server_lets_requests_wait_before_it_reads_them(
    serve: Serve, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded by the slots; the status is answered all the same."""
    begun, go = threading.Semaphore(0), threading.Event()

    def stuck(*told: Any) -> Asked:
        begun.release()
        go.wait(20)
        return understand(*told)

    monkeypatch.setattr("trainer.serving.classic.understand", stuck)
    body = {"images": text(picture())}
    content = json.dumps(body).encode()
    with serve(request_bytes=len(content) + 10) as client, ThreadPoolExecutor(2) as others:
        requests = [others.submit(client.post, PREDICT, content=content) for _ in range(2)]
        assert begun.acquire(timeout=20)
        assert client.get("/v1/status").status_code == 200
        assert not begun.acquire(timeout=0.2)
        assert "model_serving_requests_waiting 1\n" in client.get("/metrics").text
        go.set()
        assert [request.result().status_code for request in requests] == [200, 200]


def test_a_full_server_refuses_and_says_when_to_come_again(
    serve: Serve, picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with our own code under the old protocol, 503 under the new one; afterwards all is well."""
    begun, go = threading.Semaphore(0), threading.Event()

    def stuck(*told: Any) -> Asked:
        begun.release()
        go.wait(20)
        return understand(*told)

    monkeypatch.setattr("trainer.serving.classic.understand", stuck)
    body = {"images": text(picture())}
    with serve(requests=1) as client, ThreadPoolExecutor(1) as others:
        first = others.submit(client.post, PREDICT, json=body)
        assert begun.acquire(timeout=20)
        refused = client.post(PREDICT, json=body)
        assert fault(refused) == (503, 10020200)
        assert int(refused.headers["Retry-After"]) > 0
        infer = client.post("/v2/models/model/infer", json={})
        assert (infer.status_code, set(infer.json())) == (503, {"error"})
        go.set()
        assert first.result().status_code == 200
        assert client.post(PREDICT, json=body).status_code == 200
        assert 'model_serving_refused_total{limit="queue"} 2\n' in client.get("/metrics").text


def test_while_a_model_is_loaded_the_answer_is_503(
    serve: Serve, picture: Picture, colour_detector: Path, make_registry: Registries
) -> None:
    """Status and predictions alike; the description is known from the start."""
    go = threading.Event()

    def slow(folder: Path, settings: Settings) -> Model:
        go.wait(20)
        return load_model(folder, settings)

    registry = make_registry({"model": colour_detector}, load=slow)
    loading = registry.start(lambda: None)
    client = serve(registry=registry)
    assert fault(client.get("/v1/status")) == (503, 10020100)
    assert fault(client.post(PREDICT, json={"images": text(picture())})) == (503, 10020100)
    assert client.get("/v1/models/model").json()["status"] == "loading"
    go.set()
    loading.join()
    assert client.get("/v1/status").status_code == 200


def test_a_model_that_does_not_load_ends_the_server(
    make_detector: Any, tmp_path: Path, make_registry: Registries
) -> None:
    folder = make_detector(tmp_path / "model")
    (folder / "model.onnx").write_bytes(b"junk")
    registry = make_registry({"model": folder})
    told: list[bool] = []
    registry.start(lambda: told.append(True)).join()
    assert told
    assert isinstance(registry.failure, ModelError)
    assert not registry.ready


def test_an_unforeseen_fault_is_500_without_its_reason(
    serve: Serve, picture: Picture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has it, the client does not."""

    def fall(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a secret of the machine")

    monkeypatch.setattr("trainer.serving.classic.understand", fall)
    answer = serve().post(PREDICT, json={"images": text(picture())})
    assert fault(answer)[0] == 500
    assert "secret" not in answer.text
    assert "a secret of the machine" in caplog.text


@pytest.fixture
def every_kind(
    serve: Serve,
    make_registry: Registries,
    colour_detector: Path,
    colour_classifier: Path,
    colour_embedder: Path,
) -> TestClient:
    """A server with a model of every task: ``boxes``, ``classes`` and ``vectors``."""
    folders = {"boxes": colour_detector, "classes": colour_classifier, "vectors": colour_embedder}
    registry = make_registry(folders)
    registry.start(lambda: None).join()
    return serve(registry=registry)


def test_a_classifier_answers_probabilities_and_the_class(every_kind: TestClient, picture: Picture) -> None:
    answer = every_kind.post("/v1/models/classes:predict", json={"images": text(picture("lime"))}).json()
    assert set(answer[0]) == {"probs", "predicted_class_name", "predicted_class"}
    assert (answer[0]["predicted_class_name"], answer[0]["predicted_class"]) == ("green", 1)
    assert sum(answer[0]["probs"]) == pytest.approx(1, abs=1e-5)


def test_an_embedder_answers_vectors(every_kind: TestClient, picture: Picture) -> None:
    images = [text(picture("blue")), text(picture("red"))]
    answer = every_kind.post("/v1/models/vectors:predict", json={"images": images}).json()
    assert [set(one) for one in answer] == [{"embedding"}] * 2
    assert answer[1]["embedding"] == pytest.approx([1, 0, 0], abs=0.01)


def test_topk_answers_the_nearest_of_the_index(every_kind: TestClient, picture: Picture) -> None:
    """Five unless told, and no more than there are; forms say it in a field."""
    topk = "/v1/models/vectors:topk"
    image = text(picture("blue"))
    (found,) = every_kind.post(topk, json={"images": image, "topK": 2}).json()
    assert set(found) == {"distance", "catalog_index", "catalog_filenames", "catalog_labels"}
    assert found["catalog_index"][0] == 2
    assert found["catalog_filenames"][0] == "blue/b.png"
    assert found["catalog_labels"][0] == "blue"
    assert found["distance"] == pytest.approx([0, 2**0.5], abs=0.01)
    (usual,) = every_kind.post(topk, json={"images": image}).json()
    assert len(usual["distance"]) == 3
    (by_form,) = every_kind.post(topk, files={"f": ("a.png", picture("blue"))}, data={"topK": "1"}).json()
    assert by_form["catalog_labels"] == ["blue"]


@pytest.mark.parametrize("top_k", [0, -1, 1.5, "many", True, [], 10**6, "9" * 5000])
def test_a_topk_that_is_no_count_is_bad_input(every_kind: TestClient, picture: Picture, top_k: Any) -> None:
    body = {"images": text(picture()), "topK": top_k}
    assert fault(every_kind.post("/v1/models/vectors:topk", json=body)) == (400, 10000200)


@pytest.mark.parametrize("label", ["boxes", "classes"])
def test_topk_is_for_embedders(every_kind: TestClient, label: str) -> None:
    assert fault(every_kind.post(f"/v1/models/{label}:topk")) == (400, 10010301)


def test_the_log_has_no_header_and_no_body(
    serve: Serve, picture: Picture, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "trainer")
    content = text(picture())
    serve().post(PREDICT, json={"images": content}, headers={"Authorization": "Bearer hush"})
    assert "POST '/v1/models/model:predict' 200" in caplog.text
    assert "hush" not in caplog.text
    assert content not in caplog.text


def test_answers_are_plain_json(serve: Serve, picture: Picture) -> None:
    answer = serve().post(PREDICT, json={"images": text(picture("black"))})
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.content) == [{"scores": [], "pred_boxes": [], "pred_classes": []}]


def test_a_model_that_does_not_compute_is_found_before_it_is_served(
    colour_classifier: Path, tmp_path: Path, make_registry: Registries
) -> None:
    """Its graph is sound, and not that of a detector."""
    folder = tmp_path / "model"
    shutil.copytree(colour_classifier, folder)
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    card |= {"task": "object-detection", "score_threshold": 0.5, "class_agnostic_nms": True, "digits": True}
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    registry = make_registry({"model": folder})
    registry.start(lambda: None).join()
    assert "does not compute" in str(registry.failure)


@pytest.mark.parametrize("label", ["classes", "vectors"])
def test_similarity_answers_heat_maps_of_every_pair(
    every_kind: TestClient, picture: Picture, label: str
) -> None:
    """For each picture: how like it is to each, a map for each that sums up to it, and where the maps lie."""
    images = [text(picture("red")), text(picture("blue", (200, 100))), text(picture("red", (30, 30)))]
    answer = every_kind.post(f"/v1/models/{label}:similarity", json={"images": images})
    assert answer.status_code == 200
    found = answer.json()
    assert [set(one) for one in found] == [{"similarity", "heatmaps", "extent"}] * 3
    assert found[0]["similarity"][2] == pytest.approx(1, abs=1e-3)
    assert found[0]["similarity"][1] < 0.9
    assert found[1]["extent"] == [0, -50, 200, 150]
    for one in found:
        assert len(one["heatmaps"]) == 3
        for value, places in zip(one["similarity"], one["heatmaps"], strict=True):
            assert sum(map(sum, places)) == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("count", [1, 17])
def test_similarity_compares_some_pictures(every_kind: TestClient, picture: Picture, count: int) -> None:
    """One has nothing to be compared with; the answer grows with the square."""
    body = {"images": [text(picture())] * count}
    answer = every_kind.post("/v1/models/vectors:similarity", json=body)
    assert fault(answer)[0] == 400


def test_a_model_without_feature_maps_says_so(
    serve: Serve,
    make_registry: Registries,
    picture: Picture,
    colour_graph: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """It was written by an earlier release."""
    registry = make_registry({"model": colour_graph(tmp_path / "old")})
    registry.start(lambda: None).join()
    body = {"images": [text(picture())] * 2}
    answer = serve(registry=registry).post("/v1/models/model:similarity", json=body)
    assert fault(answer) == (400, 10010301)
    assert "train it again" in answer.json()["error"]["message"]
