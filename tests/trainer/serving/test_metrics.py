"""The page that Prometheus reads, and the page that people read."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.testclient import TestClient

from trainer.serving.metrics import Counter, Gauge, Histogram, Meters
from trainer.serving.page import PAGE, PAGE_HEADERS

Serve = Callable[..., TestClient]
Picture = Callable[..., bytes]
LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9.e+]+')


def test_a_counter_and_a_gauge_in_words() -> None:
    """Values of labels are escaped: a backslash, a quote and a line end break no line."""
    counter = Counter("a_total", "Things.", "kind")
    counter.add('"x"\n\\', amount=2)
    assert list(counter.lines()) == [
        "# HELP a_total Things.",
        "# TYPE a_total counter",
        'a_total{kind="\\"x\\"\\n\\\\"} 2',
    ]
    assert list(Counter("b_total", "None yet.").lines())[-1] == "b_total 0"
    assert list(Gauge("c", "Now.", read=lambda: {(): 1.5}).lines())[-1] == "c 1.5"


def test_a_histogram_is_cumulative() -> None:
    """A value on a bound counts below it."""
    histogram = Histogram("h", "Sizes.", (1.0, 2.5), "kind")
    for value in (0.5, 1.0, 2.0, 9.0):
        histogram.observe(value, "k")
    assert list(histogram.lines())[2:] == [
        'h_bucket{kind="k",le="1"} 2',
        'h_bucket{kind="k",le="2.5"} 3',
        'h_bucket{kind="k",le="+Inf"} 4',
        'h_sum{kind="k"} 12.5',
        'h_count{kind="k"} 4',
    ]


def figures(client: TestClient) -> dict[str, float]:
    """Every sample of the page; each line is one, or a comment."""
    lines = client.get("/metrics").text.splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples), samples
    assert len(samples) == len({line.rpartition(" ")[0] for line in samples})
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in samples)}


def test_requests_are_counted_by_model_verb_and_status(serve: Serve, picture: Picture) -> None:
    """What a client calls a model or an address never becomes a label."""
    client = serve(pixels=20_000)
    good = {"images": base64.b64encode(picture()).decode()}
    client.post("/v1/models/model:predict", json=good)
    client.post("/v1/models/MODEL:predict", json=good)
    client.post(
        "/v1/models/model:predict", json={"images": base64.b64encode(picture(size=(200, 200))).decode()}
    )
    client.post("/v1/models/model:predict", content=b"x" * 1_000_001)
    client.post("/v1/models/stranger:predict", json=good)
    client.get("/nothing/here")
    found = figures(client)
    count = "model_serving_requests_total"
    assert found[f'{count}{{model="model",verb="predict",code="200"}}'] == 2
    assert found[f'{count}{{model="model",verb="predict",code="400"}}'] == 2
    assert found[f'{count}{{model="",verb="other",code="404"}}'] == 2
    assert found['model_serving_request_seconds_count{model="model",verb="predict"}'] == 4
    assert found['model_serving_refused_total{limit="pixels"}'] == 1
    assert found['model_serving_refused_total{limit="size"}'] == 1
    assert found['model_serving_queue_pictures{model="model"}'] == 0
    assert found["process_resident_memory_bytes"] > 10_000_000
    info = [name for name in found if name.startswith("model_serving_model_info")]
    assert re.fullmatch(r'.*model="model",task="object-detection",version="[0-9a-f]{12}"}', info[0])
    assert not [name for name in found if "stranger" in name or "nothing" in name]


def test_every_family_has_help_and_type() -> None:
    meters = Meters()
    meters.batches.observe(3, "model")
    text = meters.text()
    assert text.count("# HELP") == text.count("# TYPE") == 5
    assert text.endswith("\n")


class Elements(HTMLParser):
    """Addresses and inline handlers of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "action"):
                self.addresses.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(name)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No address leads away or to the root, so that it works below a gateway's prefix.

    And no style and no handler stands in an attribute, which the policy forbids.
    """
    elements = Elements()
    elements.feed(PAGE)
    assert elements.addresses
    assert not [one for one in elements.addresses if re.match(r"[a-z]+:(?!,)|/", one)]
    assert elements.handlers == []
    assert not re.search(r"https?://|innerHTML|eval\(|fetch\([\"'`]/", PAGE)


def test_the_page_comes_with_its_policy(serve: Serve) -> None:
    answer = serve().get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy == PAGE_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_the_description_names_every_address(serve: Serve) -> None:
    paths: dict[str, Any] = serve().get("/openapi.json").json()["paths"]
    assert {
        "/v1/status", "/v1/models", "/v1/models/{label}:{verb}", "/v2", "/v2/health/live", "/v2/health/ready",
        "/v2/models/{label}", "/v2/models/{label}/ready", "/v2/models/{label}/infer",
    } <= paths.keys()  # fmt: skip
    body = paths["/v1/models/{label}:{verb}"]["post"]["requestBody"]["content"]
    assert {"application/json", "multipart/form-data"} == body.keys()


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
def test_pages_that_would_load_from_elsewhere_are_not_there(serve: Serve, path: str) -> None:
    assert serve().get(path).status_code == 404
