"""The image of the daemon, built for real and run as the units in deploy/ run it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from generator.images.build import BuildOptions, build_image
from tests.end_to_end.world import World
from tests.integration.images.conftest import Packages

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
REFERENCE = "corespec-test-deploy:0.1.0"
#: As in deploy/kubernetes: nobody, nothing writable but what is mounted, no capability, no way out.
CONFINED = (
    "--rm",
    "--read-only",
    "--network=none",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--tmpfs=/tmp",
)
PROBE = """\
import sys, time, urllib.error, urllib.request
for _ in range(200):
    try:
        print(urllib.request.urlopen("http://127.0.0.1:8790/healthz").status)
        break
    except urllib.error.URLError:
        time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def image(engine: Any, packages: Packages) -> Iterator[str]:
    """Built from the files that Git knows; layers of an earlier build are used again."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *_context()], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = {name: (ROOT / name).read_bytes() for name in listed.stdout.split("\0") if name}
    files["Dockerfile"] = (ROOT / "deploy" / "Dockerfile").read_bytes()
    arguments = {name: value for name, value in packages.arguments.items() if name.startswith("PIP_")}
    build_image(engine, REFERENCE, files, BuildOptions(arguments=arguments))
    yield REFERENCE
    engine.remove_image(REFERENCE)


def _context() -> list[str]:
    """What .dockerignore lets in."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


def _run(image: str, *words: str, entrypoint: str = "") -> str:
    command = ["docker", "run", *CONFINED, *([f"--entrypoint={entrypoint}"] if entrypoint else [])]
    return subprocess.run([*command, image, *words], check=True, capture_output=True, text=True).stdout


def test_the_command_line_answers_as_nobody(image: str) -> None:
    """Confined as in a cluster; without words it tells how to use it."""
    assert "reconcile" in _run(image)
    assert "--once" in _run(image, "reconcile", "--help")
    assert _run(image, "-u", entrypoint="id").strip() == "65534"
    assert _run(image, "-c", "import kubernetes, reconciler.lock_lease", entrypoint="python3") == ""


def test_what_the_image_says_and_holds(image: str, engine: Any) -> None:
    """Labels; no sources, caches or credentials; below 800 MB; layers that name no secret."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    found = engine.inspect_image(image)
    assert found["Config"]["User"] == "65534:65534"
    assert found["Config"]["Labels"]["org.opencontainers.image.version"] == version
    assert found["Size"] < 800_000_000
    names = {word.partition("=")[0] for word in found["Config"]["Env"]}
    assert not {name for name in names if "TOKEN" in name or "PASSWORD" in name or "INDEX" in name}
    history = json.dumps(engine.history(image))
    assert not [word for word in ("password", "token", "://user") if word in history.lower()]
    places = "/src ~root/.cache ~root/.netrc ~root/.config /var/lib/apt/lists/lock"
    script = f"for place in {places}; do [ -e $place ] && echo $place; done; find / -xdev -user 65534 -type f"
    assert _run(image, "-c", f"{script} 2>/dev/null; true", entrypoint="sh") == ""


def test_the_daemon_lives_in_it_and_ends_when_asked(image: str, tmp_path: Path) -> None:
    """Without an AI Core it is alive, as /healthz says, and SIGTERM ends it with 0."""
    world = World(tmp_path, tmp_path / "local", "indocker").build()
    world.scenario.unlink()
    world.push("No scenario")
    tmp_path.chmod(0o777)
    subprocess.run(["chmod", "-R", "a+rwX", str(tmp_path)], check=True)
    environ = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    environ |= {"HOME": str(tmp_path), "CORESPEC_STATE_DIR": str(tmp_path / "state")}
    options = [f"--env={name}={value}" for name, value in environ.items()]
    words = ["reconcile", "-C", str(world.project), "--listen", "127.0.0.1:8790"]
    mount = f"--volume={tmp_path}:{tmp_path}"
    started = ["docker", "run", "--detach", *CONFINED[1:], *options, mount, image, *words]
    name = subprocess.run(started, check=True, capture_output=True, text=True).stdout.strip()
    try:
        asked = ["docker", "exec", name, "python3", "-c", PROBE]
        said = subprocess.run(asked, check=False, capture_output=True, text=True)
        log = subprocess.run(["docker", "logs", name], check=True, capture_output=True, text=True)
        assert said.stdout.strip() == "200", f"{said.stderr}\n{log.stdout}\n{log.stderr}"
        subprocess.run(["docker", "stop", "--time", "60", name], check=True, capture_output=True)
        state = ["docker", "inspect", "--format", "{{.State.ExitCode}}", name]
        assert subprocess.run(state, check=True, capture_output=True, text=True).stdout.strip() == "0"
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=True, capture_output=True)
