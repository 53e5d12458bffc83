"""Requests on their way to a deployment: counted for each port, so that none is cut off by an update."""

from __future__ import annotations

from localcore.engines.traffic import PATIENCE, Traffic


def test_requests_keep_a_port_busy() -> None:
    """Proves: requests go where the latest lead goes, and each keeps the port that it was given busy."""
    found = Traffic()
    assert found.enter("d") is None
    found.lead("d", 1)
    assert found.enter("d") == found.enter("d") == 1
    found.lead("d", 2)
    assert found.enter("d") == 2
    assert not found.idle("d", 1)
    found.leave("d", 1)
    assert not found.idle("d", 1)
    found.leave("d", 1)
    assert found.idle("d", 1)
    assert not found.idle("d", 2)
    assert found.idle("other", 2)
    found.lead("d", None)
    assert found.enter("d") is None


def test_nobody_waits_for_ever() -> None:
    """Proves: a request that never ends holds a replaced server for so long and no longer."""
    moment = [0.0]
    found = Traffic(lambda: moment[0])
    found.lead("d", 1)
    found.enter("d")
    assert not found.idle("d", 1)
    moment[0] = PATIENCE - 1
    assert not found.idle("d", 1)
    moment[0] = PATIENCE + 1
    assert found.idle("d", 1)
