"""What every test stands on: none of this machine's credentials and settings, and the shared pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The machine may be busy: a slow example is no fault.
settings.register_profile("corespec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("corespec")

_ROOT = Path(__file__).parent.parent
_FOREIGN = ("AICORE_", "AWS_", "GIT_", "TRAINER_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with tests that take long come first: the workers then end together, not one minutes later."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither read the user's credentials nor depend on the user's Git settings."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        monkeypatch.delenv(name)
    identity = {"NAME": "Corespec tests", "EMAIL": "tests@corespec.invalid"}
    for key, value in identity.items():
        monkeypatch.setenv(f"GIT_AUTHOR_{key}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{key}", value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared pictures and references; a test that needs it skips where it is absent."""
    folder = Path(os.environ.get("CORESPEC_SHARED", _ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("needs the shared reference folder: set CORESPEC_SHARED to where it lies")
    return folder
