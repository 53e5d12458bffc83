"""A served model and a client that speaks to it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from trainer.inference.models import Model, Settings
from trainer.serving.app import create_app
from trainer.serving.batching import Batcher, Policy
from trainer.serving.gate import Gate
from trainer.serving.labels import Place
from trainer.serving.metrics import Meters
from trainer.serving.registry import Registry
from trainer.serving.requests import Limits
from trainer.serving.service import Service

Serve = Callable[..., TestClient]
Picture = Callable[..., bytes]


@pytest.fixture
def make_registry() -> Iterator[Callable[..., Registry]]:
    """A function that makes the registry of some folders, by label; nothing is loaded yet."""
    with ThreadPoolExecutor(1) as computers:

        def batcher(label: str, model: Model) -> Batcher:
            return Batcher(model, computers, Policy(), lambda _: None)

        def make(folders: dict[str, Path], **how: Any) -> Registry:
            places = [Place(label, folder) for label, folder in folders.items()]
            return Registry(places, Settings(), batcher, largest_batch=8, **how)

        yield make


@pytest.fixture
def serve(colour_detector: Path, make_registry: Callable[..., Registry]) -> Iterator[Serve]:
    """A function that serves the colour detector as ``model`` (and under further labels) within limits."""
    with ThreadPoolExecutor(2) as pool:

        def start(
            *labels: str,
            timeout: float = 30.0,
            requests: int = 64,
            registry: Registry | None = None,
            **limits: int,
        ) -> TestClient:
            if registry is None:
                registry = make_registry(dict.fromkeys(("model", *labels), colour_detector))
                registry.start(lambda: None).join()
                assert registry.failure is None
            bounds = Limits(**{"request_bytes": 1_000_000, "pictures": 16, "pixels": 1_000_000} | limits)
            gate = Gate(requests, bounds.request_bytes)
            app = create_app(Service(registry, bounds, timeout, pool, gate, Meters()))
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
