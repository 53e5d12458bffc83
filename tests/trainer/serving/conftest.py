"""A served model and a client that speaks to it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from trainer.inference.models import Settings
from trainer.serving.app import Service, create_app
from trainer.serving.labels import Place
from trainer.serving.registry import Registry
from trainer.serving.requests import Limits

Serve = Callable[..., TestClient]
Picture = Callable[..., bytes]


@pytest.fixture
def serve(colour_detector: Path) -> Iterator[Serve]:
    """A function that serves the colour detector as ``model`` (and under further labels) within limits."""
    with ThreadPoolExecutor(2) as pool:

        def start(
            *labels: str,
            timeout: float = 30.0,
            slots: int = 8,
            registry: Registry | None = None,
            **limits: int,
        ) -> TestClient:
            if registry is None:
                places = [Place(label, colour_detector) for label in ("model", *labels)]
                registry = Registry(places, Settings())
                registry.start(lambda: None).join()
            bounds = Limits(**{"request_bytes": 1_000_000, "pictures": 16, "pixels": 1_000_000} | limits)
            app = create_app(Service(registry, bounds, timeout, pool, asyncio.Semaphore(slots)))
            return TestClient(app, raise_server_exceptions=False)

        yield start


@pytest.fixture(scope="session")
def picture() -> Picture:
    """A function that encodes a picture of one colour."""

    def encode(colour: str = "red", size: tuple[int, int] = (128, 128), kind: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.new("RGB", size, colour).save(file, kind)
        return file.getvalue()

    return encode
