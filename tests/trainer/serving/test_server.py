"""The server as a process: its address, its end, its exit codes."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from trainer.serving.run import _listening

ROOT = Path(__file__).parents[3]
SERVING = [sys.executable, "-m", "trainer", "model-serving"]


@contextmanager
def server(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a free port, and its address."""
    command = [*SERVING, "--port", "0", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert process.stdout is not None
    address, ready = "", False
    try:
        for line in process.stdout:
            found = re.search(r"listening on (http://\S+)", line)
            address, ready = found[1] if found else address, ready or "is ready" in line
            if address and ready:
                yield process, address
                return
        pytest.fail(f"no server: exit code {process.wait()}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data=data), timeout=20) as answer:
        return json.load(answer)


def test_it_answers_on_the_loopback_alone_and_ends_with_zero(
    colour_detector: Path, picture: Callable[..., bytes]
) -> None:
    """SIGTERM is how a deployment is stopped: that is no failure."""
    with server("--models", str(colour_detector)) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        body = {"images": base64.b64encode(picture()).decode()}
        assert ask(f"{address}/v1/models/model:predict", body)[0]["pred_classes"] == [0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_a_request_under_way_is_answered_before_the_end(
    colour_detector: Path, picture: Callable[..., bytes]
) -> None:
    """SIGTERM comes between the two halves of a request."""
    body = json.dumps({"images": base64.b64encode(picture("lime")).decode()}).encode()
    head = f"POST /v1/models/model:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with server("--models", str(colour_detector)) as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(head.encode() + body[:50])
            ask(f"{address}/v1/status")  # the server has seen the first half by now
            process.send_signal(signal.SIGTERM)
            assert process.stdout is not None
            assert any("Waiting" in line for line in process.stdout)
            connection.sendall(body[50:])
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"pred_classes":[1]' in answer
        assert process.wait(20) == 0


def test_a_client_that_leaves_in_the_middle_costs_a_line_and_no_more(
    colour_detector: Path, picture: Callable[..., bytes]
) -> None:
    """Half a request and a closed connection: no trace of a fault, and the next is answered."""
    head = "POST /v1/models/model:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with server("--models", str(colour_detector)) as (process, address):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(head.encode() + b"{")
            ask(f"{address}/v1/status")
        assert process.stdout is not None
        line = next(line for line in process.stdout if "POST" in line)
        assert "400" in line
        assert ask(f"{address}/v1/models/model:predict", {"images": base64.b64encode(picture()).decode()})
        process.send_signal(signal.SIGTERM)
        assert "Traceback" not in process.stdout.read()


def test_serve_is_another_name_for_it() -> None:
    """The parameters are those of the workflow."""
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "serve", "--models", "/nowhere"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, "is no folder" in done.stderr) == (2, True)
    assert "maximum_batch" in done.stdout


def test_the_variable_of_the_container_goes_before_the_option(colour_detector: Path) -> None:
    """The template passes both: what a configuration binds must count."""
    with server("--models", "/nowhere", TRAINER_MODELS=f"{colour_detector}[bound]") as (_, address):
        assert ask(f"{address}/v1/models")["models"][0]["label"] == "bound"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--models", "/nowhere"), "is no folder"),
        (("--models", "{model}", "--port", "{taken}"), "cannot listen on 127.0.0.1"),
        (("--models", "{model}", "--host", "nowhere.invalid", "--port", "0"), "cannot listen on"),
        (("--models", "{junk}", "--port", "0"), "cannot be loaded"),
        (("--models", "{model}", "--set", "loglevel=9"), "loglevel"),
    ],
)
def test_what_cannot_be_served_ends_with_two(
    arguments: tuple[str, ...], words: str, colour_detector: Path, make_detector: Callable[..., Path],
    tmp_path: Path,
) -> None:  # fmt: skip
    """One clear last line, also where a model turns out broken after listening began."""
    junk = make_detector(tmp_path / "junk")
    (junk / "model.onnx").write_bytes(b"junk")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = {"model": colour_detector, "junk": junk, "taken": taken.getsockname()[1]}
        done = subprocess.run(
            [*SERVING, *(argument.format(**names) for argument in arguments)],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.strip().splitlines()[-1]


def test_connections_send_at_once() -> None:
    """The body of an answer does not wait for the receipt of its head."""
    with (
        _listening("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_torch_is_loaded(colour_detector: Path) -> None:
    """The image for serving has none, and no rich either."""
    program = (
        "import sys\nfrom trainer.serving import run\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not {'torch', 'onnx', 'matplotlib', 'rich', 'ai_core_sdk'} & loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_new_model_is_taken_on_sighup_while_requests_are_answered(
    make_detector: Callable[..., Path], tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    """A broken one before it is refused; no request fails meanwhile."""
    model = make_detector(tmp_path / "model")
    good = (model / "model.onnx").read_bytes()
    body = {"images": base64.b64encode(picture()).decode()}
    with server("--models", str(model), "--set", "reload_seconds=0") as (process, address):
        assert process.stdout is not None
        predict = f"{address}/v1/models/model:predict"
        described = f"{address}/v1/models/model"
        before = ask(described)["version"]
        (model / "model.onnx").write_bytes(b"junk")
        process.send_signal(signal.SIGHUP)
        assert any("stays as it was" in line for line in process.stdout)
        assert ask(predict, body)[0]["pred_classes"] == [0]
        assert "cannot be loaded" in ask(described)["refused"]
        card = json.loads((model / "model.json").read_text(encoding="utf-8"))
        (model / "model.onnx").write_bytes(good)
        (model / "model.json").write_text(json.dumps(card | {"score_threshold": 1.0}), encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        answers = []
        while ask(described)["version"] == before:
            answers.append(ask(predict, body)[0]["pred_classes"])
        assert all(answer == [0] for answer in answers)
        assert "refused" not in ask(described)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_concurrent_requests_share_runs_and_keep_their_answers(
    colour_detector: Path, picture: Callable[..., bytes]
) -> None:
    """Sixteen clients with pictures of three colours; the figures say how many runs it took."""
    colours = ("red", "lime", "blue")
    bodies = [{"images": base64.b64encode(picture(colour, (900, 700))).decode()} for colour in colours]
    with (
        server("--models", str(colour_detector), "--set", "batch_milliseconds=200") as (_, address),
        ThreadPoolExecutor(16) as clients,
    ):
        predict = f"{address}/v1/models/model:predict"
        found = list(clients.map(lambda number: ask(predict, bodies[number % 3]), range(96)))
        assert [one[0]["pred_classes"] for one in found] == [[0], [1], [2]] * 32
        with urllib.request.urlopen(f"{address}/metrics", timeout=20) as page:
            lines = dict(line.rsplit(" ", 1) for line in page.read().decode().splitlines() if line[0] != "#")
        assert float(lines['model_serving_batch_pictures_sum{model="model"}']) == 96
        assert float(lines['model_serving_batch_pictures_count{model="model"}']) < 96


def resident(address: str) -> float:
    """What the server says of its memory, bytes."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=20) as page:
        found = re.search(r"^process_resident_memory_bytes (\S+)$", page.read().decode(), re.MULTILINE)
    assert found
    return float(found[1])


def test_memory_does_not_grow_with_the_number_of_requests(
    colour_detector: Path, picture: Callable[..., bytes]
) -> None:
    """Pictures of forty sizes from eight clients: what comes after the first two hundred takes no more."""
    sizes = [(60 + 47 * number % 300, 60 + 31 * number % 200) for number in range(40)]
    bodies = [{"images": base64.b64encode(picture("red", size)).decode()} for size in sizes]
    with server("--models", str(colour_detector)) as (_, address), ThreadPoolExecutor(8) as clients:
        predict = f"{address}/v1/models/model:predict"
        seen = []
        for requests in (200, 400):
            list(clients.map(lambda number: ask(predict, bodies[number % 40]), range(requests)))
            seen.append(resident(address))
    assert seen[1] < seen[0] * 1.02 + 1_000_000
