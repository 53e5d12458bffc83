"""Building: the engine's stream becomes events, an image or one clear error."""

from __future__ import annotations

import pytest
import requests

from generator.errors import GeneratorError
from generator.images.build import LOG_LINES, BuildOptions, build_image
from generator.images.errors import BuildError, EngineUnavailableError
from generator.images.events import ImageEvent, ImageEventKind
from tests.generator.images.fake import BUILD_OK, IMAGE_ID, REFERENCE, FakeEngine, api_error, entries, failure

FILES = {"Dockerfile": b"FROM x\n", "requirements.txt": b""}


def _fails(engine: FakeEngine, options: BuildOptions | None = None) -> GeneratorError:
    with pytest.raises(GeneratorError) as caught:
        build_image(engine, REFERENCE, FILES, options)
    return caught.value


def test_a_stream_that_ends_well_gives_the_image() -> None:
    """Its id and size are the engine's; steps from the cache are counted."""
    built = build_image(FakeEngine(BUILD_OK), REFERENCE, FILES)
    assert (built.reference, built.id, built.size) == (REFERENCE, IMAGE_ID, 1_424_784_807)
    assert (built.cached, built.steps) == (1, 4)


def test_every_step_and_line_is_reported_in_order() -> None:
    """Text that the stream cuts in pieces is whole again; a bar that draws over itself is its last state."""
    events: list[ImageEvent] = []
    build_image(FakeEngine(BUILD_OK), REFERENCE, FILES, listener=events.append)
    told = [(event.kind.value, event.message, event.step) for event in events]
    assert told == [
        ("step", "FROM python:3.11-slim-bookworm AS packages", 1),
        ("step", "RUN pip install --requirement requirements.txt", 2),
        ("cached", "", 2),
        ("step", "COPY trainer/ ./trainer/", 3),
        ("step", "RUN echo hello", 4),
        ("output", "hello", 4),
        ("output", " 100%", 4),
        ("done", IMAGE_ID, 4),
    ]
    assert {event.steps for event in events} == {4}


def test_the_base_image_on_its_way_is_reported_as_a_layer() -> None:
    """Bytes done and in all, for a bar."""
    events: list[ImageEvent] = []
    line = {"status": "Downloading", "id": "ab", "progressDetail": {"current": 5, "total": 9}}
    build_image(FakeEngine([*BUILD_OK[:3], line]), REFERENCE, FILES, listener=events.append)
    (layer,) = [event for event in events if event.kind is ImageEventKind.LAYER]
    assert (layer.layer, layer.message, layer.done, layer.total) == ("ab", "Downloading", 5, 9)


def test_the_engine_is_sent_the_context_and_the_options() -> None:
    """Build arguments, labels and platform arrive; intermediate containers go whatever happens."""
    engine = FakeEngine(BUILD_OK)
    options = BuildOptions({"PIP_INDEX_URL": "x"}, {"a": "b"}, "linux/arm64", cache=False, pull=True)
    build_image(engine, REFERENCE, FILES, options)
    ((name, sent),) = engine.calls
    assert name == "build"
    assert sent == {
        "custom_context": True,
        "decode": True,
        "tag": REFERENCE,
        "rm": True,
        "forcerm": True,
        "pull": True,
        "nocache": True,
        "platform": "linux/arm64",
        "buildargs": {"PIP_INDEX_URL": "x"},
        "labels": {"a": "b"},
    }
    assert set(entries(engine.contexts[0])) == {"Dockerfile", "requirements.txt", "wheels"}


def test_the_default_is_what_ai_core_runs() -> None:
    """A laptop with another processor builds for AI Core all the same."""
    engine = FakeEngine(BUILD_OK)
    build_image(engine, REFERENCE, FILES)
    assert engine.calls[0][1]["platform"] == "linux/amd64"


def test_a_failed_step_is_an_error_with_the_last_lines_of_the_log() -> None:
    """Twenty lines tell why; the hundreds before them are left out."""
    lines = [{"stream": f"line {index}\n"} for index in range(100)]
    reason = "The command '/bin/sh -c pip' returned a non-zero code: 1"
    error = _fails(FakeEngine([*BUILD_OK[:4], *lines, failure(reason)]))
    assert isinstance(error, BuildError)
    assert error.log == tuple(f"line {index}" for index in range(100 - LOG_LINES, 100))
    assert not error.transient
    text = str(error)
    assert text.startswith(f"{REFERENCE} cannot be built: {reason}\n  | line 80\n")
    assert text.endswith("and build again.")


@pytest.mark.parametrize(
    ("said", "remedy", "transient"),
    [
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", "--wheels DIR", False),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "find out why", False),
        ("Failed to establish a new connection: Temporary failure in name resolution", "network", True),
        ("Get https://x/v2/: net/http: TLS handshake timeout", "network", True),
        ("pull access denied for acme/base, repository does not exist", "docker.bases", False),
        ('Head "http://x/v2/python/manifests/3.11": no basic auth credentials', "docker.bases", False),
        ("unknown instruction: FORM", "Correct what the log names", False),
    ],
)
def test_the_log_decides_what_to_do_next(said: str, remedy: str, transient: bool) -> None:
    """The errors of pip and of registries that a user meets, each with its way out."""
    error = _fails(FakeEngine([{"stream": said}, failure("returned a non-zero code: 1")]))
    assert remedy in str(error)
    assert error.transient is transient


def test_values_of_build_arguments_are_not_repeated() -> None:
    """An index address may hold a token; the error names the argument instead."""
    options = BuildOptions({"PIP_INDEX_URL": "https://token@index.invalid/simple", "SHORT": "in"})
    stream = [
        {"stream": "Looking in indexes: https://token@index.invalid/simple\n"},
        failure("no https://token@index.invalid/simple"),
    ]
    error = _fails(FakeEngine(stream), options)
    assert "token" not in str(error)
    assert "Looking in indexes: $PIP_INDEX_URL" in str(error)
    assert "token" not in repr(options)


def test_an_answer_that_is_an_error_from_the_start_is_one_too() -> None:
    """A Dockerfile that cannot be parsed never gets a stream."""
    error = _fails(
        FakeEngine(fault=api_error(400, "dockerfile parse error line 3: unknown instruction: FORM"))
    )
    assert isinstance(error, BuildError)
    assert "line 3: unknown instruction" in str(error)


def test_an_engine_that_goes_away_in_the_middle_is_said() -> None:
    """Restarted while it built: try again."""
    error = _fails(FakeEngine(BUILD_OK[:5], fault=requests.exceptions.ConnectionError("reset")))
    assert isinstance(error, EngineUnavailableError)
    assert error.transient
