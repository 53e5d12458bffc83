"""Settings of the property tests: the machine may be busy, and a slow example is no fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.properties.core import running
from tests.properties.site import Site
from tests.reconciler.fake import FakeClock

settings.register_profile(
    "properties",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
settings.load_profile("properties")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A project that nobody has written yet, and the local AI Core of this process."""
    with running(tmp_path / "core", FakeClock()) as core:
        made = Site(tmp_path, core)
        made.wired(monkeypatch)
        yield made
