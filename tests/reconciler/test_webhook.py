"""Who may wake the daemon, and what a call can do: nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.webhook import judge, signature

SECRET = "open sesame"
PUSH = json.dumps({"ref": "refs/heads/main", "commits": []}).encode()


def github(body: bytes = PUSH, secret: str = SECRET, event: str = "push", **more: str) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={digest}", **more}


def test_the_signature_is_the_one_of_github() -> None:
    """The example of GitHub's own documentation."""
    assert (
        signature("It's a Secret to Everybody", b"Hello, World!")
        == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


def test_a_push_to_the_branch_wakes() -> None:
    verdict = judge("github", SECRET, "main", github(), PUSH)
    assert (verdict.status, verdict.wakes) == (202, True)


def test_github_may_send_a_form() -> None:
    body = urlencode({"payload": PUSH.decode()}).encode()
    headers = github(body, **{"Content-Type": "application/x-www-form-urlencoded"})
    assert judge("github", SECRET, "main", headers, body).wakes


def test_names_of_headers_have_no_case() -> None:
    headers = {name.lower(): value for name, value in github().items()}
    assert judge("github", SECRET, "main", headers, PUSH).wakes


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, PUSH),
        (github(secret="guess"), PUSH),
        (github(), PUSH + b" "),
        ({**github(), "X-Hub-Signature-256": github()["X-Hub-Signature-256"][7:]}, PUSH),
        ({**github(), "X-Hub-Signature-256": "sha256="}, PUSH),
        ({**github(), "X-Hub-Signature-256": "sha256=\udcff"}, PUSH),
        ({"X-GitHub-Event": "push", "X-Gitlab-Token": SECRET}, PUSH),
    ],
)
def test_a_wrong_signature_is_refused(headers: dict[str, str], body: bytes) -> None:
    verdict = judge("github", SECRET, "main", headers, body)
    assert (verdict.status, verdict.wakes) == (401, False)
    assert SECRET not in verdict.reason


def test_an_empty_secret_opens_nothing() -> None:
    assert (
        judge("gitlab", "", "main", {"X-Gitlab-Token": "", "X-Gitlab-Event": "Push Hook"}, PUSH).status == 401
    )
    assert judge("github", "", "main", github(secret=""), PUSH).status == 401


@pytest.mark.parametrize("ref", ["refs/heads/other", "refs/tags/main", "main", 7, None])
def test_other_branches_wake_nobody(ref: object) -> None:
    body = json.dumps({"ref": ref}).encode()
    verdict = judge("github", SECRET, "main", github(body), body)
    assert (verdict.status, verdict.wakes) == (202, False)


def test_other_events_wake_nobody() -> None:
    """GitHub's ping is answered well: its page shows a green mark."""
    verdict = judge("github", SECRET, "main", github(event="ping"), PUSH)
    assert (verdict.status, verdict.wakes) == (202, False)


def test_gitlab_sends_its_token() -> None:
    headers = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Push Hook"}
    assert judge("gitlab", SECRET, "main", headers, PUSH).wakes
    assert judge("gitlab", SECRET, "main", {**headers, "X-Gitlab-Token": "guess"}, PUSH).status == 401
    assert not judge("gitlab", SECRET, "main", {**headers, "X-Gitlab-Event": "Note Hook"}, PUSH).wakes


def test_generic_needs_no_more_than_a_signature() -> None:
    """A script calls with an empty body; one that names a branch has to name ours."""
    assert judge("generic", SECRET, "main", {"X-Signature": signature(SECRET, b"")}, b"").wakes
    assert judge("generic", SECRET, "main", {"X-Signature": signature(SECRET, PUSH)}, PUSH).wakes
    assert not judge("generic", SECRET, "next", {"X-Signature": signature(SECRET, PUSH)}, PUSH).wakes


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert judge("github", SECRET, "main", github(body), body).status == 400


@given(
    st.sampled_from(["github", "gitlab", "generic"]),
    st.dictionaries(
        st.sampled_from(["X-Hub-Signature-256", "X-Gitlab-Token", "X-Signature", "X-GitHub-Event"]), st.text()
    ),
    st.binary(),
)
def test_nobody_gets_in_by_luck(provider: str, headers: dict[str, str], body: bytes) -> None:
    verdict = judge(provider, SECRET, "main", headers, body)  # type: ignore[arg-type]
    assert (verdict.status, verdict.wakes) == (401, False)
