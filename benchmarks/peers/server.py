"""A peer's model behind FastAPI and uvicorn, the web server of ours, as its documentation shows it.

The request is the body of ours: base64 in JSON. Weights are random: neither peer finds anything, and has
nothing to suppress or to write.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from PIL import Image

Predict = Callable[[Image.Image], dict[str, Any]]


def main() -> None:
    """Serve one peer on a free port, and print the address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=tuple(_PEERS))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    _serve(_PEERS[options.peer]())


def _serve(predict: Predict) -> None:
    import uvicorn
    from fastapi import Body, FastAPI

    app = FastAPI()

    @app.post("/predict")
    def answer(images: str = Body(embed=True)) -> list[dict[str, Any]]:
        picture = Image.open(io.BytesIO(base64.b64decode(images))).convert("RGB")
        return [predict(picture)]

    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as ours does
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")).run(sockets=[listener])


def _yolo(side: int) -> Predict:
    settings = tempfile.mkdtemp(prefix="corespec-bench-")
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": settings, "YOLO_AUTOINSTALL": "false"}
    from benchmarks.peers import suppression

    suppression.install()
    from ultralytics import YOLO  # type: ignore[import-not-found]

    model = YOLO("yolo11n.yaml")
    turn = threading.Lock()  # Ultralytics: a model is not thread-safe

    def predict(picture: Image.Image) -> dict[str, Any]:
        with turn:
            (found,) = model.predict(picture, imgsz=side, device="cpu", verbose=False)
        boxes = found.boxes
        return {
            "scores": boxes.conf.tolist(),
            "pred_boxes": boxes.xyxy.tolist(),
            "pred_classes": boxes.cls.tolist(),
        }

    return predict


def _ssdlite() -> Predict:
    import numpy as np
    import torch

    from benchmarks.peers import suppression

    suppression.install()
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    model = ssdlite320_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=11, score_thresh=0.5
    ).eval()

    @torch.inference_mode()
    def predict(picture: Image.Image) -> dict[str, Any]:
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
        (found,) = model([pixels])
        return {
            "scores": found["scores"].tolist(),
            "pred_boxes": found["boxes"].tolist(),
            "pred_classes": found["labels"].tolist(),
        }

    return predict


_PEERS: dict[str, Callable[[], Predict]] = {
    "yolo11n-320": partial(_yolo, 320),
    "yolo11n-640": partial(_yolo, 640),
    "ssdlite320_mobilenet_v3_large": _ssdlite,
}


if __name__ == "__main__":
    main()
