"""Metrics reach AI Core in order and once, whatever the tracking service does; the training never waits."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from ai_core_sdk.models import Metric

from trainer.tracking import MetricAllowance, Progress, Tracker, connect
from trainer.tracking_service import Point, RefusedError


class Service:
    """A tracking service on a loopback port that can be told how to answer."""

    def __init__(self) -> None:
        self.status = 204
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.asked = threading.Semaphore(0)
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if service.status == 204:
                    service.bodies.append({"path": self.path, **body})
                    service.headers.append(dict(self.headers))
                self.send_response(service.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                service.asked.release()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def steps(self, name: str = "loss") -> list[int]:
        """Steps of a metric in the order they arrived."""
        return [m["step"] for body in self.bodies for m in body.get("metrics", []) if m["name"] == name]


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def in_pod(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The variables AI Core sets in a pod."""
    monkeypatch.setenv("AICORE_EXECUTION_ID", "e1")
    monkeypatch.setenv("AICORE_TRACKING_ENDPOINT", service.url)
    monkeypatch.setenv("AI-MAIN-TENANT", "tenant")
    monkeypatch.setenv("AI-RESOURCE-GROUP", "default")
    return service


def test_the_official_sdk_carries_metrics_and_progress(in_pod: Service) -> None:
    tracker = connect(wanted=True)
    tracker.metrics({"mAP/allClasses": 0.5, "mAP/7": 0.25}, step=12, split="validation")
    tracker.progress(Progress(12, 100, 30.04, 0.12, "train"))
    assert tracker.close() == 0
    bodies = in_pod.bodies
    assert {body["path"] for body in bodies} == {"/api/v1/metrics"}
    assert {body["executionId"] for body in bodies} == {"e1"}
    metrics = [metric for body in bodies for metric in body.get("metrics", [])]
    assert [(m["name"], m["value"], m["step"]) for m in metrics] == [
        ("mAP/allClasses", 0.5, 12),
        ("mAP/7", 0.25, 12),
    ]
    assert metrics[0]["labels"] == [{"name": "data_split", "value": "validation"}]
    notes = [note for body in bodies for note in body.get("customInfo", [])]
    assert notes[-1]["name"] == "corespec/progress"
    assert json.loads(notes[-1]["value"]) == {
        "step": 12, "total_steps": 100, "eta_seconds": 30.0, "fraction": 0.12, "stage": "train",
    }  # fmt: skip
    assert in_pod.headers[0]["AI-RESOURCE-GROUP"] == "default"


def test_what_is_no_number_goes_out_as_minus_one_hundred_with_a_label(in_pod: Service) -> None:
    tracker = connect(wanted=True)
    tracker.metrics({"loss": float("nan"), "lr": float("inf")}, step=1, split="train")
    tracker.close()
    for metric in in_pod.bodies[0]["metrics"]:
        assert metric["value"] == -100
        assert {"name": "nans", "value": "1"} in metric["labels"]


@pytest.mark.parametrize("status", [500, 503, 404, 401, 429])
def test_a_failing_service_gets_everything_later_in_order(in_pod: Service, status: int) -> None:
    in_pod.status = status
    tracker = connect(wanted=True)
    for step in range(5):
        tracker.metrics({"loss": 1.0}, step=step, split="train")
    assert in_pod.asked.acquire(timeout=20)
    in_pod.status = 204
    assert tracker.close() == 0
    assert in_pod.steps() == [0, 1, 2, 3, 4]


def test_metrics_the_service_refuses_are_said_once_and_hold_nothing_up(
    in_pod: Service, caplog: pytest.LogCaptureFixture
) -> None:
    in_pod.status = 400
    tracker = connect(wanted=True)
    tracker.metrics({"loss": 1.0}, step=0, split="train")
    assert in_pod.asked.acquire(timeout=20)
    in_pod.status = 204
    tracker.metrics({"loss": 1.0}, step=1, split="train")
    assert tracker.close() == 0
    assert in_pod.steps() in ([1], [0, 1])
    assert sum("refuses" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("wanted", [True, False])
def test_outside_ai_core_or_unwanted_nothing_is_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    if not wanted:
        monkeypatch.setenv("AICORE_EXECUTION_ID", "e1")
        monkeypatch.setenv("AICORE_TRACKING_ENDPOINT", service.url)
    tracker = connect(wanted=wanted)
    tracker.metrics({"loss": 1.0}, step=0, split="train")
    tracker.progress(Progress(0, 1, 0, 0, "train"))
    assert not tracker.active
    assert tracker.close() == 0
    assert service.bodies == []


class Store:
    """A service that keeps what it gets and can be asked for it; ``lossy`` answers never arrive."""

    def __init__(self, *, lossy: int = 0) -> None:
        self.kept: list[Point] = []
        self.lossy = lossy
        self.asked = 0

    def send(self, metrics: Sequence[Metric], notes: Mapping[str, str]) -> None:
        self.kept += [(metric.name, metric.step, metric.labels[0].value) for metric in metrics]
        if self.lossy:
            self.lossy -= 1
            raise requests.ReadTimeout("the answer is lost")

    def stored(self) -> set[Point]:
        self.asked += 1
        return set(self.kept)

    def tracker(self) -> Tracker:
        return Tracker(self.send, stored=self.stored, batch=2, first_pause=0.001, longest_pause=0.002)


def test_a_request_whose_answer_was_lost_is_not_repeated() -> None:
    """It had been carried out: the service is asked before anything is sent again."""
    store = Store(lossy=2)
    tracker = store.tracker()
    for step in range(7):
        tracker.metrics({"loss": 1.0}, step=step, split="train")
    assert tracker.close() == 0
    assert sorted(store.kept) == [("loss", step, "train") for step in range(7)]
    assert store.asked == 2


def killed_after(steps: int, store: Store, known: int) -> list[list[Any]]:
    """A training that pushed ``steps`` points and was killed; its checkpoint is of ``known`` points."""
    tracker = store.tracker()
    told: list[list[Any]] = []
    for step in range(steps):
        tracker.metrics({"loss": float(step)}, step=step, split="train")
        if step + 1 == known:
            told = tracker.told()
    tracker.close()
    return told


def test_a_resumed_training_repeats_no_point_and_leaves_none_out() -> None:
    """Of the first process's points two are lost; two more than the checkpoint knows have arrived."""
    store = Store()
    told = killed_after(6, store, known=4)
    store.kept = [point for point in store.kept if point[1] not in (1, 3)]
    tracker = store.tracker()
    tracker.resume(told)
    for step in range(4, 8):
        tracker.metrics({"loss": float(step)}, step=step, split="train")
    assert tracker.close() == 0
    assert sorted(store.kept) == [("loss", step, "train") for step in range(8)]


def test_another_execution_gets_the_whole_curve() -> None:
    """A new pod on the old volume reports to an execution that knows nothing yet."""
    told = killed_after(4, Store(), known=4)
    fresh = Store()
    tracker = fresh.tracker()
    tracker.resume(told)
    tracker.close()
    assert [point[1] for point in fresh.kept] == [0, 1, 2, 3]


def test_points_that_only_the_killed_process_knew_of_take_up_room() -> None:
    """A run limited in minutes does not come to the same steps again."""
    store = Store()
    told = killed_after(6, store, known=4)
    tracker = store.tracker()
    tracker.resume(told)
    assert tracker.close() == 0
    assert tracker.strays("train", step=99) == 2
    assert tracker.strays("train", step=5) == 1
    assert tracker.strays("validation", step=99) == 0
    assert not MetricAllowance(10).take(3, 1.0, strays=8)


def test_what_cannot_be_asked_is_believed_to_have_arrived(in_pod: Service) -> None:
    """The service answers no queries (501): the points of the killed process are not sent again."""
    tracker = connect(wanted=True)
    tracker.resume([["loss", 1, "train", 0.5, "2026-01-01T00:00:00+00:00"]])
    tracker.metrics({"loss": 1.0}, step=2, split="train")
    assert tracker.close() == 0
    assert in_pod.steps() == [2]


def test_what_is_no_number_is_none_after_a_restart_either() -> None:
    store = Store()
    tracker = store.tracker()
    tracker.metrics({"loss": float("nan")}, step=1, split="train")
    ((name, step, split, value, _),) = tracker.told()
    assert (name, step, split) == ("loss", 1, "train")
    assert value != value
    tracker.close()


class Line:
    """A connection that fails until it is mended; remembers what got through."""

    def __init__(self, broken: bool = True) -> None:
        self.broken = broken
        self.sent: list[list[int]] = []
        self.notes: list[str] = []
        self.tried = threading.Semaphore(0)

    def __call__(self, metrics: Sequence[Metric], notes: Mapping[str, str]) -> None:
        self.tried.release()
        if self.broken:
            raise requests.ConnectionError("nobody there")
        self.sent.append([metric.step for metric in metrics])
        self.notes += notes.values()


def test_an_absent_service_is_said_once_and_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    line = Line()
    tracker = Tracker(line, batch=10, first_pause=0.001, longest_pause=0.002)
    for step in range(35):
        tracker.metrics({"loss": 1.0}, step=step, split="train")
    for _ in range(4):
        assert line.tried.acquire(timeout=20)
    line.broken = False
    assert tracker.close() == 0
    assert [step for batch in line.sent for step in batch] == list(range(35))
    assert max(len(batch) for batch in line.sent) == 10
    assert sum("does not answer" in record.message for record in caplog.records) == 1
    assert sum("answers again" in record.message for record in caplog.records) == 1


def test_closing_gives_up_at_the_deadline_and_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    tracker = Tracker(Line(), first_pause=0.001)
    tracker.metrics({"a": 1.0, "b": 2.0}, step=0, split="train")
    assert tracker.close(deadline=0.05) == 2
    assert "2 metrics could not be sent" in caplog.text


def test_only_the_latest_progress_is_sent_after_an_absence() -> None:
    line = Line()
    tracker = Tracker(line, first_pause=0.001, longest_pause=0.002)
    for step in range(20):
        tracker.progress(Progress(step, 20, 0, step / 20, "train"))
    assert line.tried.acquire(timeout=20)
    line.broken = False
    tracker.close()
    assert json.loads(line.notes[-1])["step"] == 19
    assert len(line.notes) <= 2


def test_a_refusal_drops_only_what_was_refused() -> None:
    refused = threading.Event()
    sent: list[int] = []

    def send(metrics: Sequence[Metric], notes: Mapping[str, str]) -> None:
        if any(metric.step == 0 for metric in metrics):
            refused.set()
            raise RefusedError("no")
        sent.extend(metric.step for metric in metrics)

    tracker = Tracker(send, batch=1)
    for step in range(3):
        tracker.metrics({"loss": 1.0}, step=step, split="train")
    assert tracker.close() == 0
    assert refused.is_set()
    assert sent == [1, 2]


def test_spending_keeps_pace_with_progress_and_never_exceeds_the_total() -> None:
    allowance = MetricAllowance(100)
    taken = [allowance.take(6, step / 1000) for step in range(1, 1001)]
    assert taken[0]
    assert 90 <= allowance.used <= 100
    assert sum(taken[:500]) * 6 <= 56
