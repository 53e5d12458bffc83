"""The Open Inference Protocol: metadata, health, tensors as JSON and as bytes, errors."""

from __future__ import annotations

import base64
import json
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from trainer.inference.models import Model, Settings, load_model
from trainer.serving.errors import AnswerError
from trainer.serving.registry import Registry
from trainer.serving.tensors import DATATYPES, Tensor, read_tensors

Serve = Callable[..., TestClient]
Picture = Callable[..., bytes]
INFER = "/v2/models/model/infer"


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def images(*contents: bytes, **more: Any) -> dict[str, Any]:
    data = [text(content) for content in contents]
    return {"inputs": [{"name": "images", "datatype": "BYTES", "shape": [len(data)], "data": data}], **more}


def outputs(answer: Any) -> dict[str, Any]:
    """The data of an answer by name, in their shapes."""
    assert answer.status_code == 200, answer.text
    return {
        one["name"]: np.array(one["data"]).reshape(one["shape"]).tolist() for one in answer.json()["outputs"]
    }


@pytest.fixture
def every_kind(
    serve: Serve,
    make_registry: Callable[..., Registry],
    colour_detector: Path,
    colour_classifier: Path,
    colour_embedder: Path,
) -> TestClient:
    """A server with a model of every task: ``model``, ``classes`` and ``vectors``."""
    registry = make_registry(
        {"model": colour_detector, "classes": colour_classifier, "vectors": colour_embedder}
    )
    registry.start(lambda: None).join()
    return serve(registry=registry)


def test_the_server_says_what_it_is(serve: Serve) -> None:
    answer = serve().get("/v2").json()
    assert set(answer) == {"name", "version", "extensions"}
    assert answer["extensions"] == ["binary_tensor_data"]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2/models/model/ready"])
def test_health_of_a_ready_server(serve: Serve, path: str) -> None:
    assert serve().get(path).status_code == 200


def test_while_a_model_is_loaded_the_server_lives_and_is_not_ready(
    serve: Serve, make_registry: Callable[..., Registry], colour_detector: Path, picture: Picture
) -> None:
    """No is a 4xx in this protocol."""
    go = threading.Event()

    def slow(folder: Path, settings: Settings) -> Model:
        go.wait(20)
        return load_model(folder, settings)

    registry = make_registry({"model": colour_detector}, load=slow)
    loading = registry.start(lambda: None)
    client = serve(registry=registry)
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 400
    assert client.get("/v2/models/model/ready").status_code == 400
    assert client.post(INFER, json=images(picture())).status_code == 503
    go.set()
    loading.join()
    assert client.get("/v2/health/ready").status_code == 200


def test_metadata_names_what_is_answered(every_kind: TestClient, picture: Picture) -> None:
    """Every output of every task has the name, the type and the shape that the metadata say."""
    for label in ("model", "classes", "vectors"):
        told = every_kind.get(f"/v2/models/{label}").json()
        assert told["name"] == label
        assert [one["name"] for one in told["inputs"]] == ["images", "pictures"]
        assert told["inputs"][1]["shape"] == [-1, 3, 64, 64]
        answer = every_kind.post(f"/v2/models/{label}/infer", json=images(picture("red"), picture("blue")))
        found = answer.json()
        assert found["model_version"] == told["versions"][0]
        assert [(one["name"], one["datatype"]) for one in found["outputs"]] == [
            (one["name"], one["datatype"]) for one in told["outputs"]
        ]
        for one, described in zip(found["outputs"], told["outputs"], strict=True):
            assert len(one["data"]) or one["shape"]
            assert len(one["shape"]) == len(described["shape"])
            assert all(
                want in (-1, side) for want, side in zip(described["shape"], one["shape"], strict=True)
            )


def test_boxes_of_all_pictures_follow_each_other(serve: Serve, picture: Picture) -> None:
    """``counts`` tells them apart; a picture without boxes has none, and an empty reading."""
    found = outputs(serve().post(INFER, json=images(picture("lime"), picture("black"), picture("blue"))))
    assert found["counts"] == [1, 0, 1]
    assert found["boxes"] == [[16, 16, 80, 112]] * 2
    assert (found["classes"], found["class_names"]) == ([1, 2], ["1", "2"])
    assert found["readings"] == ["1", "", "2"]
    assert found["scores"] == pytest.approx([1, 1], abs=0.01)


def test_nothing_found_is_empty_tensors(serve: Serve, picture: Picture) -> None:
    answer = serve().post(INFER, json=images(picture("black")))
    shapes = {one["name"]: one["shape"] for one in answer.json()["outputs"]}
    assert (shapes["boxes"], shapes["scores"], shapes["counts"]) == ([0, 4], [0], [1])


def test_pictures_as_the_network_takes_them(serve: Serve) -> None:
    """Flat or nested data; boxes are in the pixels of the tensor."""
    plane = np.zeros((2, 3, 64, 64), dtype=np.uint8)
    plane[0, 0] = plane[1, 2] = 255
    for data in (plane.tolist(), plane.ravel().tolist()):
        body = {"inputs": [{"name": "pictures", "datatype": "UINT8", "shape": [2, 3, 64, 64], "data": data}]}
        found = outputs(serve().post(INFER, json=body))
        assert found["classes"] == [0, 2]
        assert found["boxes"] == [[8, 8, 40, 56]] * 2


def test_neighbours_of_an_embedding(every_kind: TestClient, picture: Picture) -> None:
    body = images(picture("blue"), parameters={"topK": 2})
    found = outputs(every_kind.post("/v2/models/vectors/infer", json=body))
    assert np.shape(found["catalog_labels"]) == (1, 2)
    assert found["catalog_labels"][0][0] == "blue"
    assert found["embedding"][0] == pytest.approx([0, 0, 1], abs=0.01)


def test_wanted_outputs_alone_in_their_order_with_the_id(serve: Serve, picture: Picture) -> None:
    body = images(picture(), id="7", outputs=[{"name": "scores"}, {"name": "counts"}])
    answer = serve().post(INFER, json=body).json()
    assert answer["id"] == "7"
    assert [one["name"] for one in answer["outputs"]] == ["scores", "counts"]


def binary(head: dict[str, Any], *tails: bytes) -> dict[str, Any]:
    content = json.dumps(head).encode()
    return {
        "content": content + b"".join(tails),
        "headers": {"Inference-Header-Content-Length": str(len(content))},
    }


def test_bytes_in_and_out(serve: Serve, picture: Picture) -> None:
    """The extension: pictures with their lengths before them, answers behind the JSON."""
    contents = [picture("red"), picture("blue", kind="JPEG")]
    tail = b"".join(struct.pack("<I", len(one)) + one for one in contents)
    entry = {"name": "images", "datatype": "BYTES", "shape": [2]}
    head = {
        "inputs": [entry | {"parameters": {"binary_data_size": len(tail)}}],
        "outputs": [
            {"name": "boxes", "parameters": {"binary_data": True}},
            {"name": "class_names", "parameters": {"binary_data": True}},
            {"name": "counts"},
        ],
    }
    client = serve()
    answer = client.post(INFER, **binary(head, tail))
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["Inference-Header-Content-Length"])
    told = json.loads(answer.content[:length])["outputs"]
    rest = answer.content[length:]
    sizes = [one.get("parameters", {}).get("binary_data_size") for one in told]
    assert sizes == [32, 10, None]
    assert np.frombuffer(rest[:32], "<f4").reshape(2, 4).tolist() == [[16, 16, 80, 112]] * 2
    assert rest[32:] == struct.pack("<I", 1) + b"0" + struct.pack("<I", 1) + b"2"
    everything = client.post(
        INFER, **binary(head | {"outputs": None, "parameters": {"binary_data_output": True}}, tail)
    )
    assert everything.headers["content-type"] == "application/octet-stream"


def test_raw_pixels_as_bytes(serve: Serve) -> None:
    plane = np.zeros((1, 3, 64, 64), dtype=np.uint8)
    plane[0, 1] = 255
    entry = {"name": "pictures", "datatype": "UINT8", "shape": [1, 3, 64, 64]}
    head = {"inputs": [entry | {"parameters": {"binary_data_size": plane.nbytes}}]}
    assert outputs(serve().post(INFER, **binary(head, plane.tobytes())))["classes"] == [1]


IMAGES = {"name": "images", "datatype": "BYTES", "shape": [1], "data": ["aGFsbG8="]}
PIXELS = {"name": "pictures", "datatype": "UINT8", "shape": [1, 3, 64, 64]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"[]", 400), (b"{", 400), (b"{}", 400), (b'{"inputs": []}', 400), (b"[" * 100_000, 400),
        (b'{"inputs": [3]}', 400), (b'{"inputs": [{"name": "images"}]}', 400),
        ({"inputs": [IMAGES | {"datatype": "FP64"}]}, 400),
        ({"inputs": [IMAGES | {"datatype": ["BYTES"]}]}, 400),
        ({"inputs": [IMAGES | {"shape": [2]}]}, 400),
        ({"inputs": [IMAGES | {"shape": [-1]}]}, 400),
        ({"inputs": [IMAGES | {"shape": [True]}]}, 400),
        ({"inputs": [IMAGES | {"shape": []}]}, 400),
        ({"inputs": [IMAGES | {"shape": [0], "data": []}]}, 400),
        ({"inputs": [IMAGES | {"data": [1]}]}, 400),
        ({"inputs": [IMAGES | {"data": ["%"]}]}, 400),
        ({"inputs": [IMAGES | {"data": ["\ud800"]}]}, 400),
        ({"inputs": [IMAGES | {"name": "other"}]}, 400),
        ({"inputs": [IMAGES, PIXELS | {"data": [0] * 3 * 64 * 64}]}, 400),
        ({"inputs": [PIXELS | {"data": [0] * 5}]}, 400),
        ({"inputs": [PIXELS | {"data": [256] * 3 * 64 * 64}]}, 400),
        ({"inputs": [PIXELS | {"data": [0.5] * 3 * 64 * 64}]}, 400),
        ({"inputs": [PIXELS | {"data": [[1], [1, 2]]}]}, 400),
        ({"inputs": [PIXELS | {"data": None}]}, 400),
        ({"inputs": [PIXELS | {"shape": [1, 3, 8, 8], "data": [0] * 192}]}, 400),
        ({"inputs": [IMAGES], "outputs": [{"name": "nothing"}]}, 400),
        ({"inputs": [IMAGES], "outputs": "scores"}, 400),
        ({"inputs": [IMAGES], "parameters": 3}, 400),
        ({"inputs": [IMAGES], "parameters": {"topK": -1}}, 400),
        ({"inputs": [IMAGES], "id": 3}, 400),
        ({"inputs": [IMAGES]}, 422),
        ({"inputs": [IMAGES | {"shape": [17], "data": ["aGFsbG8="] * 17}]}, 413),
        (b"x" * 1_000_001, 413),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_words(serve: Serve, body: Any, status: int) -> None:
    """422: a picture that does not decode; 413: too much of anything."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = serve().post(INFER, content=content)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert isinstance(answer.json()["error"], str)


def test_a_picture_with_too_many_pixels_is_refused(serve: Serve, picture: Picture) -> None:
    answer = serve(pixels=10_000).post(INFER, json=images(picture(size=(101, 100))))
    assert answer.status_code == 413
    assert "101x100" in answer.json()["error"]


@pytest.mark.parametrize(
    ("tail", "header"),
    [
        (b"", None), (b"\x05\x00\x00\x00abc", None), (b"\x05\x00", None), (b"\x03\x00\x00\x00abcd", None),
        (b"\x03\x00\x00\x00abc", "x"), (b"\x03\x00\x00\x00abc", "99999"),
        (b"\x03\x00\x00\x00abc", "9" * 5000),
    ],
)  # fmt: skip
def test_bytes_that_do_not_fit_are_refused(serve: Serve, tail: bytes, header: str | None) -> None:
    entry = {"name": "images", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 7}}
    request = binary({"inputs": [entry]}, tail)
    if header is not None:
        request["headers"]["Inference-Header-Content-Length"] = header
    answer = serve().post(INFER, **request)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/nothing", 404), ("GET", "/v2/models/other", 404), ("GET", "/v2/models/other/ready", 404),
        ("POST", "/v2/models/other/infer", 404), ("GET", INFER, 405), ("POST", "/v2", 405),
        ("POST", "/v2/models/model/versions/1/infer", 404), ("GET", "/v2/models/model/versions/1", 404),
        ("GET", "/v2/models/model/versions/1/ready", 400),
    ],
)  # fmt: skip
def test_addresses_and_methods(serve: Serve, method: str, path: str, status: int) -> None:
    assert serve().request(method, path).status_code == status


def test_a_version_may_be_named(serve: Serve, picture: Picture) -> None:
    client = serve()
    (version,) = client.get("/v2/models/model").json()["versions"]
    base = f"/v2/models/model/versions/{version}"
    assert client.get(base).json()["versions"] == [version]
    assert client.get(f"{base}/ready").status_code == 200
    assert client.post(f"{base}/infer", json=images(picture())).json()["model_version"] == version


def test_a_request_that_takes_too_long_is_504(serve: Serve, picture: Picture) -> None:
    assert serve(timeout=1e-6).post(INFER, json=images(picture())).status_code == 504


NUMBERS = {
    "UINT8": st.integers(0, 255),
    "INT64": st.integers(-(2**63), 2**63 - 1),
    "FP32": st.floats(width=32, allow_nan=False),
    "BOOL": st.booleans(),
}


@given(st.data())
def test_tensors_come_back_from_json_and_from_bytes(data: st.DataObject) -> None:
    """Whatever they hold, several in one request."""
    written = []
    for name in data.draw(st.lists(st.text(max_size=5), min_size=1, max_size=3)):
        datatype = data.draw(st.sampled_from(["BYTES", *DATATYPES]))
        if datatype == "BYTES":
            elements = data.draw(st.lists(st.text(max_size=8), max_size=5))
            values: Any = [element.encode("utf-8", "surrogatepass") for element in elements]
        else:
            values = np.array(data.draw(st.lists(NUMBERS[datatype], max_size=5)), dtype=DATATYPES[datatype])
        written.append(Tensor(name, datatype, (len(values),), values))
    tails = [tensor.as_bytes() for tensor in written]
    heads = [tensor.as_head(len(tail)) for tensor, tail in zip(written, tails, strict=True)]
    assert _plain(read_tensors(heads, memoryview(b"".join(tails)))) == _plain(written)
    if all(not any(0xD800 <= ord(c) < 0xE000 for c in tensor.name) for tensor in written):
        told = [tensor for tensor in written if tensor.datatype != "BYTES"]
        if told:
            again = json.loads(json.dumps([tensor.as_json() for tensor in told]))
            assert _plain(read_tensors(again, memoryview(b""))) == _plain(told)


@given(st.binary(max_size=40), st.integers(0, 40))
def test_no_bytes_do_more_than_refuse(tail: bytes, size: int) -> None:
    """Elements with lengths that lie never reach beyond the body."""
    entry = {"name": "x", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}}
    try:
        (tensor,) = read_tensors([entry], memoryview(tail))
    except AnswerError:
        return
    assert len(tensor.as_bytes()) == size == len(tail)


def _plain(tensors: list[Tensor]) -> list[Any]:
    return [(one.name, one.datatype, one.shape, list(one.data)) for one in tensors]
