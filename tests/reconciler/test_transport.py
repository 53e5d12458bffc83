"""What the SDK raises becomes our own error, with a remedy and without a secret; odd answers never pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from ai_api_client_sdk.exception import (
    AIAPIAuthenticatorAuthorizationException,
    AIAPIAuthenticatorException,
    AIAPIAuthenticatorServerException,
    AIAPIAuthorizationException,
    AIAPIInvalidRequestException,
    AIAPINotFoundException,
    AIAPIPreconditionFailedException,
    AIAPIServerException,
)
from hypothesis import given
from hypothesis import strategies as st

from reconciler import wire
from reconciler.aicore import PAGE, AICore, AICoreWriter
from reconciler.errors import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    InputRejectedError,
    NotFoundError,
    ReconcilerError,
    TransientError,
)
from reconciler.live import ApplicationStatus
from reconciler.observability import METERS
from reconciler.transport import Transport, seconds_of
from tests.reconciler.fake import START, FakeClock


class Rest:
    """The SDK's rest client, replaced by what it shall return or raise."""

    base_url = "http://ai.example/v2"

    @staticmethod
    def get_token() -> str:
        return "Bearer t"

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def get(self, path: str, **kwargs: Any) -> Any:
        self.calls.append((path, kwargs))
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    post = patch = get


def _server(status: int, message: str = "no") -> AIAPIServerException:
    return AIAPIServerException(description="x", status_code=status, error_message=message)


CASES: list[tuple[BaseException, type[ReconcilerError], type[ReconcilerError]]] = [
    (
        AIAPIAuthorizationException(description="x", error_message="no"),
        AuthenticationError,
        AuthenticationError,
    ),
    (AIAPINotFoundException("x", "1", "gone", "r"), NotFoundError, NotFoundError),
    (AIAPIInvalidRequestException("x", "1", "bad", "r"), InputRejectedError, InputRejectedError),
    (AIAPIPreconditionFailedException("x", "1", "bad", "r"), InputRejectedError, InputRejectedError),
    (_server(403, "RBAC: access denied"), AuthenticationError, AuthenticationError),
    (_server(404, "<html>"), TransientError, ApiError),
    (_server(409), ConflictError, ConflictError),
    (_server(429), TransientError, TransientError),
    (_server(500), TransientError, AmbiguousError),
    (_server(302), ApiError, ApiError),
    (KeyError("code"), ApiError, AmbiguousError),
    (requests.exceptions.RetryError("too many 503"), TransientError, AmbiguousError),
    (requests.exceptions.ConnectionError("reset"), TransientError, AmbiguousError),
    (requests.exceptions.ReadTimeout("slow"), TransientError, AmbiguousError),
    (AIAPIAuthenticatorAuthorizationException("secret=abc"), AuthenticationError, AuthenticationError),
    (AIAPIAuthenticatorServerException(503, "down"), TransientError, TransientError),
    (AIAPIAuthenticatorException(500, "no answer"), TransientError, TransientError),
]


@pytest.mark.parametrize(
    ("raised", "read", "write"), CASES, ids=[f"{type(c[0]).__name__}-{n}" for n, c in enumerate(CASES)]
)
def test_every_error_of_the_sdk_has_its_place(
    raised: BaseException, read: type[ReconcilerError], write: type[ReconcilerError]
) -> None:
    """Reads know transient from terminal; writes know in addition when the outcome is in doubt."""
    with pytest.raises(ReconcilerError) as on_read:
        Transport(Rest(raised)).get("/lm/x")
    assert type(on_read.value) is read
    with pytest.raises(ReconcilerError) as on_write:
        Transport(Rest(raised)).post("/lm/x", {"data": {"password": "hidden"}})
    assert type(on_write.value) is write
    assert "hidden" not in str(on_write.value)
    assert "secret=abc" not in str(on_read.value)


def test_an_error_of_somebody_else_is_not_not_found() -> None:
    """A 404 page of a proxy says nothing about the object: unreadable, not absent. It may pass; a write was
    not carried out, and is not sent again.
    """
    with pytest.raises(TransientError, match="does not come from the AI API"):
        Transport(Rest(_server(404, "<html>"))).get("/lm/x")
    with pytest.raises(ApiError, match="does not come from the AI API"):
        Transport(Rest(_server(404, "<html>"))).post("/lm/x", {})


def test_keys_pass_unchanged() -> None:
    """Bodies are sent as given and answers read as they came: the SDK's renaming of keys is switched off."""
    rest = Rest(b'{"my_key": {"myKey": 1}}')
    assert Transport(rest).get("/lm/x", {"$top": "1"}) == {"my_key": {"myKey": 1}}
    assert rest.calls[0][1]["params"] == {"$top": "1"}
    rest.outcome = {"id": "1"}
    Transport(rest).post("/lm/x", {"my_key": "v"})
    sent = {key: value for key, value in rest.calls[1][1].items() if key != "hooks"}
    assert sent == {"body": {"my_key": "v"}, "convert_body_to_camel_case": False}


def test_an_answer_that_is_not_json() -> None:
    """A read may pass when it is repeated; a write is in doubt."""
    with pytest.raises(TransientError, match="does not come from the AI API"):
        Transport(Rest(b"<html>")).get("/lm/x")
    with pytest.raises(AmbiguousError):
        Transport(Rest("<html>")).post("/lm/x", {})


class Pages:
    """A collection of `total` artifacts; a careless server ignores `$skip`."""

    def __init__(self, total: int, careless: bool = False) -> None:
        self.total, self.careless, self.calls = total, careless, 0

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        self.calls += 1
        skip = 0 if self.careless else int((params or {}).get("$skip", 0))
        ids = range(skip, min(self.total, skip + int((params or {})["$top"])))
        items = [{"name": f"n{n}", "url": "u"} for n in ids]
        return {"count": self.total, "resources": items}

    post = patch = get


@pytest.mark.parametrize("total", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
def test_collections_are_read_whole(total: int) -> None:
    """In pages, by the parameters that the service honours."""
    assert len(AICore(Pages(total), FakeClock()).repositories()) == total


def test_a_part_of_a_collection_is_an_error() -> None:
    """A server that ignores paging, or counts more than it gives, never yields a partial reading."""
    with pytest.raises(ApiError, match="announces"):
        AICore(Pages(2 * PAGE, careless=True), FakeClock()).repositories()


def test_reads_are_repeated_with_growing_pauses_and_then_fail() -> None:
    """Three of ours, each after four of the SDK's own."""
    clock, rest = FakeClock(), Rest(_server(503))
    with pytest.raises(TransientError):
        AICore(Transport(rest), clock).repositories()
    assert len(rest.calls) == 3
    assert clock.slept == [0.5, 2.0]


def test_a_missing_field_is_named() -> None:
    """Outside its contract the API is not guessed at."""
    rest = Rest(json.dumps({"count": 1, "resources": [{"id": "a", "name": "n"}]}).encode())
    with pytest.raises(ApiError, match="kind"):
        AICore(Transport(rest), FakeClock()).artifacts("s")


def test_a_create_without_an_id_is_in_doubt() -> None:
    """Something was made, nobody knows what it is called: look for it."""
    with pytest.raises(AmbiguousError):
        AICoreWriter(Transport(Rest({"message": "ok"})), FakeClock()).create_execution("c")


def test_the_read_port_cannot_write() -> None:
    """`plan`, `status` and the console are given a type without a single writing method."""
    verbs = ("create_", "patch_", "stop_", "refresh_")
    writing = {name for name in dir(AICoreWriter) if name.startswith(verbs)}
    assert len(writing) == 20
    assert not writing & set(dir(AICore))


@given(st.integers(0, 10**15), st.integers(-720, 720))
def test_every_spelling_of_a_moment_is_read(microseconds: int, minutes: int) -> None:
    """With offset and microseconds."""
    local = START.astimezone(timezone(timedelta(minutes=minutes))) + timedelta(microseconds=microseconds)
    assert wire.timestamp(local.isoformat()) == local


@pytest.mark.parametrize(
    "text", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05.000000001+00:00"]
)
def test_the_spellings_of_ai_core(text: str) -> None:
    """As recorded from the service."""
    assert wire.timestamp(text).isoformat() == "2026-01-02T03:04:05+00:00"


@pytest.mark.parametrize("key", ["syncResourcesStatus", "syncRessourcesStatus"])
def test_the_status_of_an_application_in_both_spellings(key: str) -> None:
    """The service has shipped a misspelt key."""
    item = {"name": "digits", "kind": "WorkflowTemplate", "status": "SyncFailed", "message": "no"}
    status = wire.application_status({"syncStatus": "OutOfSync", key: [item]})
    assert status.errors == ("digits: no",)
    assert wire.application_status({}) == ApplicationStatus("Unknown", "Unknown", "", "Unknown", "Unknown")


class Answering:
    """The SDK's rest client at the moment when `requests` calls its hooks; then it raises, or returns {}."""

    base_url = "http://ai.example/v2"

    def __init__(self, status: int, headers: Mapping[str, str], outcome: BaseException | None = None) -> None:
        self.response = requests.Response()
        self.response.status_code = status
        self.response.headers.update(headers)
        self.outcome = outcome

    def post(self, path: str, *, hooks: Mapping[str, Any], **kwargs: Any) -> Any:
        hooks["response"](self.response, timeout=1)
        if self.outcome:
            raise self.outcome
        return {}

    patch = get = post


def test_a_write_that_comes_too_often_says_when_to_come_again() -> None:
    """The SDK drops the headers; a hook of `requests` sees them."""
    busy = Transport(Answering(429, {"Retry-After": "17"}, _server(429)))
    with pytest.raises(TransientError) as caught:
        busy.post("/lm/executions", {})
    assert caught.value.retry_after == 17


def test_every_answer_is_counted_by_its_code() -> None:
    before = {code: METERS.requests.value(code) for code in ("201", "429", "503", "none")}
    Transport(Answering(201, {})).post("/lm/executions", {})
    exhausted = requests.exceptions.RetryError("Max retries exceeded (too many 503 error responses)")
    for rest in (Answering(429, {}, _server(429)), Rest(exhausted), Rest(requests.ConnectionError())):
        with pytest.raises(TransientError):
            Transport(rest).post("/lm/executions", {})
    assert {code: METERS.requests.value(code) - count for code, count in before.items()} == dict.fromkeys(
        before, 1
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_of(header, datetime(1999, 12, 31, 23, 59, tzinfo=UTC)) == seconds


@given(st.text(max_size=40))
def test_no_header_breaks_the_call(header: str) -> None:
    found = seconds_of(header, datetime(2026, 1, 1, tzinfo=UTC))
    assert found is None or found >= 0
