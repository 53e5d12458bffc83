"""Every request of an apply, broken in every way on a real connection, through the unmodified SDK.

The table of what came out is kept in `docs/reliability.md`; `CORESPEC_REGENERATE=1` writes it anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from tests.reconciler.matrix import Scene, scenes
from tests.reconciler.stub import WRONGS, Stub, Wrong

pytestmark = pytest.mark.long

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_TABLE = re.compile(r"<!-- begin: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts of the SDK's own library cost no time here."""
    monkeypatch.setattr(urllib3.Retry, "sleep", lambda self, response=None: None)


@pytest.fixture(autouse=True)
def values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the references of the environment; marks are as they are but for the work that they cost."""
    monkeypatch.setattr("reconciler.marks._COST", 2)
    for name in ("S3_KEY", "S3_SECRET", "D_USER", "D_PASS"):
        monkeypatch.setenv(name, f"value-of-{name}")


Make = Callable[[type[Scene]], Scene]


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes places; each has a server of its own."""
    stubs: list[Stub] = []

    def new(scene: type[Scene]) -> Scene:
        stubs.append(Stub())
        return scene(tmp_path_factory.mktemp("place"), stubs[-1])

    yield new
    for stub in stubs:
        stub.close()


def test_every_request_broken_in_every_way(make: Make) -> None:
    """Nothing twice, nothing lost; the exit code is 0, or 1 and the next apply goes on from there."""
    rows: dict[str, str] = {}
    for scene in scenes():
        whole = make(scene)
        assert whole.apply() == (0, "")
        requests = {_named(request): request for request in whole.requests()}
        whole.world.server.finish()
        expected = whole.rest()
        for name, request in requests.items():
            if name not in rows:
                cells = [_broken(make(scene), request, wrong, expected) for wrong in WRONGS.values()]
                rows[name] = f"| `{name}` | {' | '.join(cells)} |"
    head = f"| request | {' | '.join(WRONGS)} |\n|---|{'---|' * len(WRONGS)}"
    _same("matrix", "\n".join([head, *(rows[name] for name in sorted(rows, key=_order))]))


def _named(request: str) -> str:
    """The kind of a request, whatever object it is about."""
    return re.sub(r"(?<=/)(id-\d+|meter-app|vision|default|acme-docker|hub|gitops)(?=/|$)", "{name}", request)


def _order(request: str) -> tuple[int, str]:
    """Reads go out together, so that the order of their arrival means nothing."""
    methods = ("GET", "POST", "PATCH", "DELETE")
    return methods.index(request.partition(" ")[0]), request


def _broken(broken: Scene, request: str, wrong: Wrong, expected: object) -> str:
    broken.stub.label, broken.stub.wrong = request, wrong
    code, message = broken.apply()
    assert broken.stub.hit, request
    assert code in {0, 1}, (request, wrong, message)
    assert not message or "\n  " in message, "says what to do next"
    broken.converge()
    assert broken.rest() == expected, (request, wrong)
    return "0" if code == 0 else f"{code}, then 0"


def test_what_is_said_when_it_stays_broken(make: Make) -> None:
    """The verb ends, its exit code is that of its fault, and nothing has been done twice."""
    rows = []
    for name, wrong in WRONGS.items():
        for phase, label in (("reading", ""), ("launching", "POST /lm/executions")):
            one = make(Scene)
            one.stub.label, one.stub.wrong, one.stub.stays = label, wrong, True
            code, message = one.apply()
            assert "\n  " in message, "says what to do next"
            one.converge()
            assert len(one.world.server.executions) == 1, (name, phase)
            rows.append(f"| {name.removesuffix(' once')} | {phase} | {code} | {_plain(message)} |")
    head = "| fault that stays | while | exit code | message → what to do |\n|---|---|---|---|"
    _same("messages", "\n".join([head, *rows]))


def _plain(message: str) -> str:
    """Without what differs from one time to the next: the port, and which of the reads failed first."""
    text = re.sub(r"127\.0\.0\.1:\d+", "ai.example", message)
    text = re.sub(r"^GET /\S+:", "GET …:", text)
    return text.replace("\n  ", " → ").replace("|", "/")


def _same(name: str, table: str) -> None:
    """The page holds that table."""
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("CORESPEC_REGENERATE") and "CI" not in os.environ:
        text = _TABLE.sub(
            lambda m: f"<!-- begin: {name} -->\n{table}\n<!-- end -->" if m[1] == name else m[0], text
        )
        PAGE.write_text(text, encoding="utf-8")
    kept = {found[1]: found[2].strip() for found in _TABLE.finditer(text)}
    assert kept[name] == table, (
        "docs/reliability.md is stale: CORESPEC_REGENERATE=1, then read the difference"
    )
