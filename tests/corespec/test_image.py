"""`corespec image`: what the verbs print, write and end with; the engine answers with recorded streams."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from corespec.image_progress import WIDTH, ImageDisplay
from generator.images.errors import EngineUnavailableError
from generator.images.events import ImageEvent, ImageEventKind
from generator.images.lock import read_lock
from generator.images.targets import SPEC_DIGEST
from tests.end_to_end.world import Result, World, corespec
from tests.generator.images.fake import (
    BUILD_OK,
    DIGEST,
    IMAGE_ID,
    PUSH_OK,
    FakeEngine,
    api_error,
    entries,
    failure,
)

IMAGE = "docker.io/acme/tiny:0.0.1"
OTHER = f"sha256:{'0' * 64}"
Use = Callable[[FakeEngine], FakeEngine]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project whose recipe is rendered; no server exists."""
    built = World(tmp_path, tmp_path / "local").build()
    assert built.run("render").code == 0
    return built


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Let the verbs meet the engine that is given."""

    def put(engine: FakeEngine) -> FakeEngine:
        monkeypatch.setattr("corespec.verbs.image.connect", lambda: engine)
        return engine

    return put


def _image(world: World, verb: str, *options: str) -> Result:
    """Run `corespec image VERB` on the project."""
    return corespec("image", *world.arguments(verb, *options))


def _labels(engine: FakeEngine) -> dict[str, str]:
    labels: dict[str, str] = engine.calls[0][1]["labels"]
    return labels


def test_build_prints_one_row_for_each_image(world: World, use: Use) -> None:
    """The table says how much came from the cache; progress is on stderr, step by step."""
    use(FakeEngine(BUILD_OK))
    result = _image(world, "build")
    assert result.code == 0
    assert " ".join(result.out.split()).endswith(f"{IMAGE} tiny-exec 1,425 MB 1 of 4 steps")
    assert f"{IMAGE} 2/4: RUN pip install --requirement requirements.txt\n  from the cache\n" in result.err
    assert f"✓ {IMAGE} {IMAGE_ID}" in result.err


def test_build_as_json_is_silent_but_for_the_result(world: World, use: Use) -> None:
    """A program reads nothing else."""
    use(FakeEngine(BUILD_OK))
    result = _image(world, "build", "-o", "json")
    assert (result.code, result.err) == (0, "")
    assert result.document["images"] == [
        {
            "image": IMAGE,
            "executables": ["tiny-exec"],
            "id": IMAGE_ID,
            "size": 1_424_784_807,
            "steps": 4,
            "cached": 1,
            "sbom": None,
        }
    ]


def test_build_sends_labels_and_no_secret(world: World, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument without a value is this machine's variable; it is no label, and no file is sent along."""
    engine = use(FakeEngine(BUILD_OK))
    monkeypatch.setenv("PIP_INDEX_URL", "https://token@index.invalid/simple")
    assert _image(world, "build", "--build-arg", "PIP_INDEX_URL", "--build-arg=A=b=c").code == 0
    sent = engine.calls[0][1]
    assert sent["buildargs"] == {"PIP_INDEX_URL": "https://token@index.invalid/simple", "A": "b=c"}
    assert "token" not in str(_labels(engine))
    assert _labels(engine)["org.opencontainers.image.title"] == "tiny-exec"
    assert _labels(engine)["org.opencontainers.image.revision"].endswith(
        "-dirty"
    )  # rendered/ is not committed
    assert {name.partition("/")[0] for name in entries(engine.contexts[0])} == {
        "Dockerfile",
        "requirements.txt",
        "trainer",
        "wheels",
    }


def test_build_refuses_a_stale_recipe_before_it_asks_for_an_engine(world: World, use: Use) -> None:
    """Exit code 2, and the remedy is `corespec render`."""
    engine = use(FakeEngine(BUILD_OK))
    recipe = world.project / "rendered" / "local" / "images" / "tiny-exec" / "Dockerfile"
    recipe.write_text(recipe.read_text() + "RUN true\n")
    result = _image(world, "build")
    assert result.code == 2
    assert "is stale" in result.err
    assert "corespec render" in result.err
    assert engine.calls == []


def test_build_needs_values_for_its_arguments(world: World, use: Use) -> None:
    """A variable that is not set is a slip, not an empty value."""
    use(FakeEngine(BUILD_OK))
    for word in ("NO_SUCH_VARIABLE_HERE", "=x"):
        result = _image(world, "build", "--build-arg", word)
        assert result.code == 2
        assert "expected NAME=VALUE" in result.err


def test_a_base_of_the_environment_s_own_registry_is_fetched_with_its_credentials(
    world: World, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the build, which has no credentials; the builder is not sent to look for it again."""
    base = "registry.example/mirror/python:3.11"
    place = "registry: registry.example/acme, secret: acme, username: env:U, password: env:P"
    world.edit(world.environment, "policy:", f"docker: {{{place}, bases: {{cpu: {base}}}}}\npolicy:")
    monkeypatch.setenv("U", "acme")
    monkeypatch.setenv("P", "secret")
    assert world.run("render").code == 0
    engine = use(FakeEngine(BUILD_OK))
    assert _image(world, "build", "--pull").code == 0
    assert [name for name, _ in engine.calls] == ["pull", "build"]
    assert engine.calls[0][1]["repository"] == base
    assert engine.calls[0][1]["auth_config"] == {"username": "acme", "password": "secret"}
    assert engine.calls[1][1]["pull"] is False


def test_a_failed_build_shows_the_end_of_the_log(world: World, use: Use) -> None:
    """On stderr, with what to do; a build that failed for the network may be tried again: exit code 1."""
    use(FakeEngine([{"stream": "Connection refused\n"}, failure("non-zero code: 1")]))
    result = _image(world, "build")
    assert result.code == 1
    assert "  | Connection refused" in result.err


def test_without_an_engine_the_verbs_say_how_to_get_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1: nothing is wrong with the specs."""

    def absent() -> Any:
        raise EngineUnavailableError("No such file or directory")

    monkeypatch.setattr("corespec.verbs.image.connect", absent)
    for verb in ("build", "push", "lock"):
        result = _image(world, verb)
        assert (result.code, "apt-get install docker.io" in result.err) == (1, True)


def test_push_locks_what_the_registry_answers(world: World, use: Use) -> None:
    """The digest is in images.lock.yaml at once, and the next step is named."""
    use(FakeEngine(PUSH_OK))
    result = _image(world, "push")
    assert result.code == 0
    assert result.out == f"{IMAGE}  new\n  + {DIGEST}\n"
    assert "run `corespec render`" in result.err
    assert read_lock(world.project) == {IMAGE: DIGEST}
    assert world.run("render", "--check").code == 3
    assert world.run("render").code == 0
    template = world.project / "rendered" / "local" / "templates" / "tiny-exec.yaml"
    assert f"{IMAGE}@{DIGEST}" in template.read_text()


def test_pushing_again_changes_nothing(world: World, use: Use) -> None:
    """Same digest, same lock, no reminder."""
    use(FakeEngine(PUSH_OK))
    _image(world, "push")
    result = _image(world, "push", "-o", "json")
    (row,) = result.document["images"]
    assert row == {"image": IMAGE, "state": "same", "locked": DIGEST, "digest": DIGEST}


def test_a_refused_push_locks_nothing(world: World, use: Use) -> None:
    """The error is in the stream alone."""
    use(FakeEngine([failure("denied: requested access to the resource is denied")]))
    result = _image(world, "push")
    assert result.code == 2
    assert "refuses docker.io/acme/tiny:0.0.1" in result.err
    assert read_lock(world.project) == {}


def test_pushing_an_image_of_other_specs_is_said(world: World, use: Use) -> None:
    """Forgetting to build again is easy; the label gives it away."""
    use(FakeEngine(PUSH_OK, labels={SPEC_DIGEST: OTHER}))
    result = _image(world, "push")
    assert result.code == 0
    assert "was built from other specs" in result.err


def test_lock_writes_what_the_registry_has(world: World, use: Use) -> None:
    """For images that somebody else pushed."""
    use(FakeEngine(digests={IMAGE: DIGEST}))
    assert _image(world, "lock", "--check").code == 3
    assert read_lock(world.project) == {}
    assert _image(world, "lock").code == 0
    assert read_lock(world.project) == {IMAGE: DIGEST}
    assert _image(world, "lock", "--check").code == 0


def test_a_moved_tag_is_drift(world: World, use: Use) -> None:
    """Exit code 3 with the old digest and the new one; --check writes nothing."""
    engine = use(FakeEngine(digests={IMAGE: DIGEST}))
    _image(world, "lock")
    engine.digests[IMAGE] = OTHER
    result = _image(world, "lock", "--check")
    assert result.code == 3
    assert result.out == f"{IMAGE}  moved\n  - {DIGEST}\n  + {OTHER}\n"
    assert read_lock(world.project) == {IMAGE: DIGEST}


@pytest.mark.parametrize(
    ("fault", "code"),
    [(None, 2), (api_error(401, "unauthorized"), 2), (api_error(500, "connection refused"), 1)],
    ids=["no such tag", "unauthorized", "away"],
)
def test_lock_tells_absent_refused_and_away_apart(
    world: World, use: Use, fault: Exception | None, code: int
) -> None:
    """Whether trying again can help decides the exit code."""
    use(FakeEngine(fault=fault))
    assert _image(world, "lock").code == code
    assert read_lock(world.project) == {}


def _event(kind: ImageEventKind, message: str = "", **more: Any) -> ImageEvent:
    return ImageEvent(kind, IMAGE, message, **more)


def test_a_log_gets_plain_lines() -> None:
    """No control characters; a layer is worth a line when it is settled, and long lines are cut."""
    stream = io.StringIO()
    with ImageDisplay(Console(file=stream, width=80)) as display:
        display(_event(ImageEventKind.STEP, "RUN " + "x" * 500, step=2, steps=9))
        display(_event(ImageEventKind.CACHED))
        display(_event(ImageEventKind.OUTPUT, "Collecting\tnumpy [bold]"))
        display(_event(ImageEventKind.LAYER, "Pushing", layer="ab", done=1, total=2))
        display(_event(ImageEventKind.LAYER, "Pushed", layer="ab"))
        display(_event(ImageEventKind.LAYER, "Pushed", layer="ab"))
        display(_event(ImageEventKind.DONE, DIGEST))
    lines = stream.getvalue().splitlines()
    assert lines == [
        f"{IMAGE} 2/9: RUN {'x' * (WIDTH - 5)}…",
        "  from the cache",
        "  Collecting numpy [bold]",
        "  ab Pushed",
        f"✓ {IMAGE} {DIGEST}",
    ]


def test_a_terminal_gets_one_picture_that_goes_away() -> None:
    """The step, its last line and the layers on their way; in the end only what was done stays."""
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system=None)
    with ImageDisplay(console) as display:
        display(_event(ImageEventKind.STEP, "RUN pip install", step=2, steps=9))
        display(_event(ImageEventKind.OUTPUT, "Collecting numpy"))
        display(_event(ImageEventKind.LAYER, "Pushing", layer="abcdef", done=1_500_000, total=3_000_000))
        drawn = stream.getvalue()
        display(_event(ImageEventKind.LAYER, "Pushed", layer="abcdef"))
        display(_event(ImageEventKind.DONE, DIGEST))
    for part in ("step 2 of 9", "RUN pip install", "Collecting numpy", "abcdef", "1.5 of 3.0 MB"):
        assert part in drawn
    assert f"✓ {IMAGE} {DIGEST}" in stream.getvalue()
