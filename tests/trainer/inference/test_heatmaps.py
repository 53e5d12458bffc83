"""Heat maps add up to the similarity they explain, and lie where the picture is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from trainer.inference.classifier import Classifier
from trainer.inference.embedder import Embedder
from trainer.inference.heatmaps import similarity
from trainer.inference.models import load_model

FEATURES = arrays.arrays(np.float32, (3, 5, 2, 4), elements=st.floats(0, 10, width=32))


@given(FEATURES)
def test_maps_sum_up_to_the_cosines(features: np.ndarray) -> None:
    """And the cosines are those of the means over the places, computed the plain way."""
    cosines, maps = similarity(features)
    assert maps.shape == (3, 3, 2, 4)
    np.testing.assert_allclose(maps.sum((2, 3)), cosines, atol=1e-4)
    means = features.reshape(3, 5, 8).mean(2).astype(np.float64)
    for i in range(3):
        for j in range(3):
            length = np.linalg.norm(means[i]) * np.linalg.norm(means[j])
            if length > 1e-6:
                assert cosines[i, j] == pytest.approx(means[i] @ means[j] / length, abs=1e-4)


def test_the_place_that_two_pictures_share_is_hot() -> None:
    """A channel that answers at one place of the first picture and everywhere in the second."""
    features = np.zeros((2, 2, 2, 2), dtype=np.float32)
    features[0, 0, 1, 0] = features[1, 0] = 1
    features[0, 1, 0, 1] = 1
    _, maps = similarity(features)
    assert maps[0, 1].argmax() == 2
    assert maps[0, 1, 0, 1] == 0


@pytest.mark.parametrize("kind", ["colour_classifier", "colour_embedder"])
def test_maps_of_a_model_lie_over_the_picture(kind: str, request: pytest.FixtureRequest) -> None:
    """Half of the picture is red: only that half is like a red picture; borders lie outside the picture."""
    model = load_model(request.getfixturevalue(kind))
    assert isinstance(model, Classifier | Embedder)
    assert model.shows_heatmaps
    half = Image.new("RGB", (200, 100), "red")
    half.paste((0, 0, 255), (100, 0, 200, 100))
    pictures = [half, Image.new("RGB", (64, 64), "red")]
    found, _ = model.heatmaps([model.prepare(one) for one in pictures], [one.size for one in pictures])
    assert found.extent == (0, -50, 200, 150)
    left, right = found.maps[1][8:24, 2:14], found.maps[1][8:24, 18:30]
    assert left.min() > 10 * abs(right).max()
    assert found.similarity[1] == pytest.approx(float(found.maps[1].sum()), abs=1e-4)


def test_a_model_without_the_output_shows_none(colour_detector: Path) -> None:
    assert "features" not in load_model(colour_detector).outputs  # type: ignore[attr-defined]
