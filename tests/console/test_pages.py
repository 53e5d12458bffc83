"""The pages over HTTP: what they show, what they refuse, and that nothing hostile gets through."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from console.port import (
    AddressRow,
    ArtifactLink,
    Execution,
    ExecutionDetail,
    LogLine,
    Metric,
    Metrics,
    Overview,
    Progress,
    ReadPort,
    UnavailableError,
)

DONE, RUNNING, DEAD = "e0c1d2e3f4a5b6c7", "e1aa00bb11cc22dd", "e2deadbeefdead00"
HOSTILE = "</title></svg><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&{{7*7}}"
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
VOID = {"meta", "link", "img", "input"}
ALL_PAGES = [
    "/",
    "/executions",
    f"/executions/{DONE}",
    f"/executions/{RUNNING}",
    f"/executions/{DEAD}",
    f"/compare?id={DONE}&id={RUNNING}",
]

Browse = Callable[[ReadPort], TestClient]


class Balance(HTMLParser):
    """Collects the tags of a page and fails where one closes that is not open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def balanced(page: str) -> Balance:
    """The page's tags; `option` may stay open in HTML but never does here."""
    return Balance(page)


@pytest.mark.parametrize("path", ALL_PAGES)
def test_every_page_is_well_formed(client: TestClient, path: str) -> None:
    """Each tag that opens is closed in order."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert balanced(answer.text).seen


@pytest.mark.parametrize("path", ALL_PAGES)
def test_every_drawing_is_well_formed_xml(client: TestClient, path: str) -> None:
    """The charts can be saved as files and opened elsewhere."""
    for drawing in SVG.findall(client.get(path).text):
        ElementTree.fromstring(drawing)


@pytest.mark.parametrize("path", [*ALL_PAGES, "/nowhere", "/static/console.css"])
def test_every_answer_carries_the_policy(client: TestClient, path: str) -> None:
    """No script, frame or foreign resource can run, even if something were not escaped."""
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self';")
    assert "script-src" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ALL_PAGES)
def test_pages_obey_their_own_policy(client: TestClient, path: str) -> None:
    """No script, no inline style, and nothing is loaded from another host."""
    for tag, attributes in balanced(client.get(path).text).seen:
        assert tag not in {"script", "style", "iframe"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#"))


def test_overview_shows_a_row_for_each_address(client: TestClient) -> None:
    """Sync, health, reason, age and best mAP stand in one row, with a link to the execution."""
    page = client.get("/").text
    for shown in (
        "execution.baseline",
        "OutOfSync",
        "Degraded",
        "Stalled",
        "6 min ago",
        "0.962",
        "4cd2b2a9f00d",
    ):
        assert shown in page
    assert f'href="/executions/{RUNNING}"' in page


def test_overview_says_what_could_not_be_read(port: ReadPort, browse: Browse) -> None:
    """A partial view is never shown as complete."""

    class Partial:
        def __getattr__(self, name: str) -> object:
            return getattr(port, name)

        def overview(self) -> Overview:
            return replace(port.overview(), unreadable=("executions: 503 from AI Core",))

    page = browse(Partial()).get("/").text  # type: ignore[arg-type]
    assert "This page is incomplete" in page
    assert "executions: 503 from AI Core" in page


def test_an_empty_environment_says_what_to_do(browse: Browse, port: ReadPort) -> None:
    """Nothing to show is answered by the next command, not by an empty table."""
    empty = replace(port, state=Overview("local", "", ()), details={})  # type: ignore[type-var]
    assert "corespec apply" in browse(empty).get("/").text
    assert "Nothing has run yet" in browse(empty).get("/executions").text


def test_executions_are_filtered_by_query_and_status(client: TestClient) -> None:
    """The form's fields reach the list."""
    page = client.get("/executions", params={"status": "RUNNING", "q": "fast"}).text
    assert RUNNING in page
    assert DONE not in page
    assert "No execution matches" in client.get("/executions?q=zzz").text


def test_execution_detail_shows_bindings_flow_and_metrics(client: TestClient) -> None:
    """Parameters, input, executable, output and per-class metrics stand on the page."""
    page = client.get(f"/executions/{DONE}").text
    for shown in (
        "base_learning_rate",
        "0.002",
        "meter-digits--3fe9a1c07b52",
        "digit-detection",
        "trainedmodel",
        "mAP/9",
    ):
        assert shown in page


def test_a_running_execution_reloads_itself_and_can_be_paused(client: TestClient) -> None:
    """Live pages refresh without a script, and a reader may stop that."""
    page = client.get(f"/executions/{RUNNING}").text
    assert '<meta http-equiv="refresh" content="10">' in page
    assert "step 360 of 600" in page
    assert "about 2 min 10 s left" in page
    paused = client.get(f"/executions/{RUNNING}?refresh=false").text
    assert "http-equiv" not in paused
    assert "reload by itself" in paused


def test_a_finished_execution_stands_still(client: TestClient) -> None:
    """Nothing reloads where nothing can change."""
    page = client.get(f"/executions/{DONE}").text
    assert "http-equiv" not in page
    assert "<progress" not in page


def test_a_dead_execution_says_why(client: TestClient) -> None:
    """The status message stands on top."""
    assert "labels.xml names no digit" in client.get(f"/executions/{DEAD}").text


def test_the_log_is_in_order_and_complete_in_the_download(client: TestClient) -> None:
    """Newest last on the page; the file has every line and a name."""
    page = client.get(f"/executions/{RUNNING}").text
    assert page.index("step 2 of 600") < page.index("step 358 of 600")
    answer = client.get(f"/executions/{RUNNING}/logs.txt")
    assert answer.headers["content-disposition"] == f'attachment; filename="{RUNNING}.log"'
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.text.splitlines()) == 180


def test_comparison_marks_the_best_and_names_differences(client: TestClient) -> None:
    """The learning rates differ; the seed does not; one run is best."""
    page = client.get(f"/compare?id={DONE}&id={RUNNING}").text
    outcome = page[page.index('id="outcome"') : page.index("<details>")]
    assert "base_learning_rate" in outcome
    assert "seed" not in outcome
    assert "best of these" in outcome
    assert page.count('<g class="line') == 2


@pytest.mark.parametrize(
    "query", ["", "?" + "&".join(f"id=e{i:04}" for i in range(9))], ids=["none", "too many"]
)
def test_comparison_asks_for_a_sensible_number(client: TestClient, query: str) -> None:
    """The answer says how many may be chosen."""
    answer = client.get(f"/compare{query}")
    assert answer.status_code == 400
    assert "Choose between 1 and 8" in answer.text


@pytest.mark.parametrize(
    "path", ["/executions/e404e404", "/compare?id=e404e404", "/executions/e404e404/../..%2f..%2fetc"]
)
def test_unknown_executions_are_not_found(client: TestClient, path: str) -> None:
    """An id that does not exist is a 404 page with a way back."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Back to the overview" in answer.text


def test_an_impossible_id_never_reaches_the_port(client: TestClient) -> None:
    """Ids follow AI Core's pattern; anything else is refused at the door."""
    answer = client.get("/executions/%3Cscript%3E")
    assert answer.status_code == 400
    assert "<script>" not in answer.text


def test_a_source_that_cannot_be_read_is_a_502_with_its_reason(browse: Browse, port: ReadPort) -> None:
    """The page says what failed; a reload may help."""

    class Away:
        def overview(self) -> Overview:
            raise UnavailableError("AI Core does not answer; is `corespec local up` running?")

    answer = browse(Away()).get("/")  # type: ignore[arg-type]
    assert answer.status_code == 502
    assert "corespec local up" in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/executions", f"/executions/{DONE}", "/compare"])
def test_nothing_can_be_written(client: TestClient, method: str, path: str) -> None:
    """The console has no writing route."""
    assert client.request(method, path).status_code == 405


def test_requests_under_another_name_are_refused(client: TestClient) -> None:
    """A foreign name that was rebound to this machine gets nothing."""
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


def hostile_detail() -> ExecutionDetail:
    """An execution whose every text tries to break out."""
    run = Execution(
        "e0bad0bad0bad0ba",
        HOSTILE,
        "RUNNING",
        datetime(2026, 11, 22, tzinfo=UTC),
        "c",
        HOSTILE,
        HOSTILE,
        HOSTILE,
        HOSTILE,
    )
    link = ArtifactLink(HOSTILE, HOSTILE, HOSTILE, "javascript:alert(3)")
    return ExecutionDetail(run, {HOSTILE: HOSTILE}, (link,), (link,))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/executions?q=%3Cscript%3E",
        "/executions",
        "/executions/e0bad0bad0bad0ba",
        "/compare?id=e0bad0bad0bad0ba",
    ],
)
def test_hostile_texts_stay_text(port: ReadPort, browse: Browse, path: str) -> None:
    """Names, values, metrics and log lines written by an attacker cannot leave their place in the page."""
    detail = hostile_detail()
    values = (Metric(HOSTILE, 0.5, 1, None, HOSTILE), Metric("mAP/allClasses", 0.5, 1, None, HOSTILE))
    bad = replace(
        port,  # type: ignore[type-var]
        state=Overview(
            HOSTILE,
            HOSTILE,
            (AddressRow(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, None, 0.5, HOSTILE),),
            (HOSTILE,),
        ),
        details={detail.execution.id: detail},
        measured={detail.execution.id: Metrics(values, Progress(1, 2, 0.5, HOSTILE))},
        printed={detail.execution.id: [LogLine(None, HOSTILE)]},
    )
    page = browse(bad).get(path).text
    tags = balanced(page).seen
    assert not [tag for tag, _ in tags if tag == "script"]
    assert not [attributes for tag, attributes in tags if tag == "img" and attributes.get("src") == "x"]
    assert not [
        attributes for _, attributes in tags if (attributes.get("href") or "").startswith("javascript")
    ]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    for drawing in SVG.findall(page):
        ElementTree.fromstring(drawing)
