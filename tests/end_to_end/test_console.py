"""`corespec console` over a real project: the page answers, and Ctrl-C ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

from tests.end_to_end.world import CATALOG, World, corespec


def test_the_console_shows_the_project_until_ctrl_c(world: World) -> None:
    """The overview names every address; SIGINT ends the process in good order."""
    assert world.converge().code == 0
    command = [
        sys.executable,
        "-m",
        "corespec",
        "console",
        "-C",
        str(world.project),
        "--port",
        "0",
        "-o",
        "json",
    ]
    with subprocess.Popen(
        [*command, "--catalog", str(CATALOG)], stdout=subprocess.PIPE, text=True
    ) as console:
        assert console.stdout is not None
        url = json.loads("".join(iter(console.stdout.readline, "}\n")) + "}")["url"]
        with urllib.request.urlopen(url, timeout=30) as page:
            text = page.read().decode()
        console.send_signal(signal.SIGINT)
        assert console.wait(timeout=30) in {0, 130}
    assert f"execution/{world.name}/baseline" in text
    assert "Healthy" in text


def test_a_taken_port_is_one_message(world: World) -> None:
    """The console never shares a port with another server."""
    port = corespec("local", "status", "--data", world.local, "-o", "json").document["url"].rpartition(":")[2]
    result = world.run("console", "--port", port)
    assert result.code == 2
    assert port in result.err
