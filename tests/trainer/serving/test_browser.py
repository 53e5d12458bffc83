"""A real browser uploads a picture on the page: boxes are drawn, and its own policy forbids nothing."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient

from trainer.serving.registry import Registry

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not CHROMIUM, reason="apt-get install -y --no-install-recommends chromium"),
]

DRIVER = """<!doctype html><title>driver</title><iframe id="page" src="docs"></iframe><pre id="seen"></pre>
<script>
async function until(found) { while (!found()) await new Promise(next => setTimeout(next, 20)); }
document.getElementById("page").addEventListener("load", async event => {
  const inner = event.target.contentDocument, at = id => inner.getElementById(id);
  await until(() => at("model").options.length);
  const seen = {};
  for (const label of [...at("model").options].map(one => one.value)) {
    at("model").value = label;
    const bytes = Uint8Array.from(atob("PICTURE"), one => one.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], "picture.png", { type: "image/png" }));
    at("file").files = files.files;
    at("ask").click();
    await until(() => !at("ask").disabled && at("message").textContent !== "…");
    const canvas = at("canvas");
    const pen = canvas.getContext("2d");
    const pixel = canvas.hidden ? null : [...pen.getImageData(16 * 4, 64 * 4, 1, 1).data];
    const [message, rows] = ["message", "rows"].map(id => at(id).textContent);
    seen[label] = { message, rows, pixel, width: canvas.width };
  }
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script>"""


@pytest.fixture
def address(
    serve: Callable[..., TestClient],
    make_registry: Callable[..., Registry],
    picture: Callable[..., bytes],
    colour_detector: Path,
    colour_classifier: Path,
    colour_embedder: Path,
) -> Iterator[str]:
    """A server with every kind of model behind a real socket, and a page beside it that plays the user."""
    registry = make_registry(
        {"boxes": colour_detector, "classes": colour_classifier, "vectors": colour_embedder}
    )
    registry.start(lambda: None).join()
    app: Any = serve(registry=registry).app
    driver = DRIVER.replace("PICTURE", base64.b64encode(picture("red")).decode())
    app.add_api_route("/driver", lambda: HTMLResponse(driver))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_the_page_asks_every_kind_of_model(address: str, tmp_path: Path) -> None:
    """The box's edge is drawn in the enlarged picture; other tasks answer in words. Nothing is refused."""
    away = ("gpu", "quic", "background-networking", "component-update", "sync")
    command = [
        str(CHROMIUM),
        "--headless=new",
        "--no-sandbox",
        "--no-first-run",
        "--virtual-time-budget=30000",
    ]
    command += [f"--disable-{name}" for name in away]
    command += [f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--dump-dom", f"{address}/driver"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout)
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert found, (done.stdout[-2000:], complaints)
    seen = json.loads(found[1])
    assert seen["boxes"]["message"].startswith("Reading 0")
    assert "16, 16, 80, 112" in seen["boxes"]["rows"]
    assert seen["boxes"]["width"] == 4 * 128
    assert seen["boxes"]["pixel"][:3] != [255, 0, 0]
    assert seen["classes"]["message"].startswith("red (")
    assert seen["vectors"]["message"].startswith("3 numbers; nearest: red")
    assert complaints == []
