"""Pushing and asking a registry: refusals that the SDK hides in streams become errors of their own."""

from __future__ import annotations

import traceback
from pathlib import Path

import docker
import pytest
import requests

from generator.images.engine import connect
from generator.images.errors import (
    CredentialStoreError,
    EngineUnavailableError,
    ImageError,
    ImageMissingError,
    RegistryUnavailableError,
    TagNotFoundError,
    UnauthorizedError,
)
from generator.images.events import ImageEvent, ImageEventKind
from generator.images.push import push_image
from generator.images.registry import Credentials, credentials_for, remote_digest
from generator.spec.environment import Docker
from tests.generator.images.fake import DIGEST, PUSH_OK, REFERENCE, FakeEngine, api_error, failure

SECRET = "correct horse battery"
CREDENTIALS = Credentials("acme", SECRET)

# What engines and registries say (recorded: engine 20.10, distribution 2.8, two public ones).
REFUSALS = [
    ("unauthorized: authentication required", UnauthorizedError),
    ("no basic auth credentials", UnauthorizedError),
    ("denied: requested access to the resource is denied", UnauthorizedError),
    ("unauthorized: incorrect username or password", UnauthorizedError),
    ("An image does not exist locally with the tag: docker.io/acme/digits", ImageMissingError),
    (
        'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
        RegistryUnavailableError,
    ),
    ("received unexpected HTTP status: 503 Service Unavailable", RegistryUnavailableError),
]


def test_a_push_gives_the_digest() -> None:
    """It is the digest of the manifest, from the line that only success has."""
    assert push_image(FakeEngine(PUSH_OK), REFERENCE) == DIGEST


def test_layers_are_reported_with_their_bytes() -> None:
    """Enough for a bar for each."""
    events: list[ImageEvent] = []
    push_image(FakeEngine(PUSH_OK), REFERENCE, listener=events.append)
    layers = [(event.message, event.done, event.total) for event in events if event.layer]
    assert layers == [("Preparing", 0, 0), ("Pushing", 512, 2048), ("Pushed", 0, 0)]
    assert (events[-1].kind, events[-1].message) == (ImageEventKind.DONE, DIGEST)


@pytest.mark.parametrize(("text", "kind"), REFUSALS)
def test_a_failure_in_the_stream_is_raised(text: str, kind: type[ImageError]) -> None:
    """The SDK lets every one of these pass; here each has its class, and only absence is worth a retry."""
    with pytest.raises(kind) as caught:
        push_image(FakeEngine([*PUSH_OK[:2], failure(text)]), REFERENCE, CREDENTIALS)
    assert caught.value.transient is (kind is RegistryUnavailableError)
    assert caught.value.remedy in str(caught.value)


def test_a_stream_that_ends_without_a_digest_is_no_success() -> None:
    """The engine was stopped, or a proxy cut the stream."""
    with pytest.raises(RegistryUnavailableError, match="without a digest"):
        push_image(FakeEngine(PUSH_OK[:4]), REFERENCE)


def test_credentials_go_with_the_call_and_appear_nowhere() -> None:
    """Not in a repr, not in the error, not in its traceback."""
    engine = FakeEngine([failure("unauthorized: authentication required")])
    with pytest.raises(UnauthorizedError) as caught:
        push_image(engine, REFERENCE, CREDENTIALS)
    assert engine.calls[0][1]["auth_config"] == {"username": "acme", "password": SECRET}
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(CREDENTIALS)


def test_without_credentials_the_engine_uses_its_own() -> None:
    """What `docker login` keeps is left to the engine's client."""
    engine = FakeEngine(PUSH_OK)
    push_image(engine, REFERENCE)
    assert engine.calls[0][1]["auth_config"] is None


def test_the_registry_tells_what_a_tag_stands_for() -> None:
    """One call, without pulling anything."""
    engine = FakeEngine(digests={REFERENCE: DIGEST})
    assert remote_digest(engine, REFERENCE, CREDENTIALS) == DIGEST
    assert engine.calls[0][1]["auth_config"] == {"username": "acme", "password": SECRET}


def test_a_tag_that_is_not_there_is_no_failure_of_the_registry() -> None:
    """NotFound and unreadable are different things."""
    with pytest.raises(TagNotFoundError, match=r"has no docker\.io/acme/digits:0\.0\.1") as caught:
        remote_digest(FakeEngine(), REFERENCE)
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (api_error(401, "unauthorized: authentication required"), UnauthorizedError),
        (api_error(500, 'Head "http://x/v2/a/manifests/1": no basic auth credentials'), UnauthorizedError),
        (api_error(500, "dial tcp: lookup x: no such host"), RegistryUnavailableError),
        (requests.exceptions.ReadTimeout("60"), EngineUnavailableError),
    ],
)
def test_refusals_of_a_registry_are_told_apart(fault: Exception, kind: type[ImageError]) -> None:
    """The engine's own status says 500 for wrong credentials too: its words decide."""
    with pytest.raises(kind):
        remote_digest(FakeEngine(fault=fault), REFERENCE)


def _docker(registry: str) -> Docker:
    fields = {"registry": registry, "secret": "acme", "username": "file:user", "password": "file:password"}
    return Docker.model_validate(fields)


def test_credentials_are_for_their_own_registry_alone(tmp_path: Path) -> None:
    """An image that lies elsewhere is asked for without them: a host never sees another's password."""
    (tmp_path / "user").write_text("acme\n")
    (tmp_path / "password").write_text(SECRET)
    docker = _docker("docker.io/acme")
    assert credentials_for("docker.io/other/x:1", docker, tmp_path) == CREDENTIALS
    assert credentials_for("docker.io.evil.example/acme/x:1", docker, tmp_path) is None
    assert credentials_for("registry.example/acme/x:1", docker, tmp_path) is None
    assert credentials_for("docker.io/acme/x:1", None, tmp_path) is None


@pytest.mark.filterwarnings("ignore:docker-credential-no-such-helper")
def test_a_failing_credential_helper_is_not_blamed_on_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real client, told to ask a helper that is not installed; nothing is sent to any engine."""
    (tmp_path / "config.json").write_text('{"credsStore": "no-such-helper"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    client = docker.APIClient(base_url="tcp://127.0.0.1:1", version="1.41")
    with pytest.raises(CredentialStoreError, match="no-such-helper"):
        push_image(client, REFERENCE)


def test_an_absent_engine_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how to get one."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(EngineUnavailableError, match=r"No such file(.|\n)*systemctl start docker"):
        connect()
