"""Base images of a registry with a password: pulled with it, and only when they have to be."""

from __future__ import annotations

import pytest
import requests

from generator.images.base import fetch_base
from generator.images.errors import EngineUnavailableError, UnauthorizedError
from generator.images.events import ImageEvent
from generator.images.registry import Credentials
from tests.generator.images.fake import FakeEngine, api_error, failure

BASE = "registry.example/mirror/python:3.11"
CREDENTIALS = Credentials("acme", "correct horse")
PULL_OK = [
    {"status": "Pulling from mirror/python", "id": "3.11"},
    {"status": "Downloading", "progressDetail": {"current": 5, "total": 9}, "id": "ab"},
    {"status": "Pull complete", "progressDetail": {}, "id": "ab"},
]


def test_a_base_that_is_here_is_not_pulled() -> None:
    """A build stays possible without a network."""
    engine = FakeEngine(PULL_OK)
    fetch_base(engine, BASE, CREDENTIALS, "linux/amd64")
    assert engine.calls == []


def test_an_absent_base_is_pulled_with_the_credentials() -> None:
    """For the platform that is built for, with every layer reported."""
    engine, events = FakeEngine(PULL_OK, absent=(BASE,)), list[ImageEvent]()
    fetch_base(engine, BASE, CREDENTIALS, "linux/amd64", listener=events.append)
    ((name, sent),) = engine.calls
    assert (name, sent["repository"], sent["platform"]) == ("pull", BASE, "linux/amd64")
    assert sent["auth_config"] == {"username": "acme", "password": "correct horse"}
    assert [(event.message, event.done, event.total) for event in events[1:]] == [
        ("Downloading", 5, 9),
        ("Pull complete", 0, 0),
    ]


def test_pull_looks_again_for_a_base_that_is_here() -> None:
    """`--pull` means it."""
    engine = FakeEngine(PULL_OK)
    fetch_base(engine, BASE, CREDENTIALS, "linux/amd64", always=True)
    assert [name for name, _ in engine.calls] == ["pull"]


@pytest.mark.parametrize(
    "engine",
    [
        FakeEngine([failure("unauthorized: authentication required")], absent=(BASE,)),
        FakeEngine(fault=api_error(500, "no basic auth credentials"), absent=(BASE,)),
    ],
    ids=["in the stream", "before the stream"],
)
def test_a_refused_base_is_said(engine: FakeEngine) -> None:
    """Wherever the refusal stands."""
    with pytest.raises(UnauthorizedError, match="refuses registry"):
        fetch_base(engine, BASE, CREDENTIALS, "linux/amd64")


def test_an_engine_that_goes_away_is_said() -> None:
    """Not blamed on the registry."""
    engine = FakeEngine(fault=requests.exceptions.ConnectionError("reset"), absent=(BASE,))
    with pytest.raises(EngineUnavailableError):
        fetch_base(engine, BASE, CREDENTIALS, "linux/amd64")
