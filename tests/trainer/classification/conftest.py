"""Pictures of three colours, which a classifier tells apart in seconds."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
from PIL import Image

from trainer.torchvision_remedy import ensure_torchvision

# Lightning is imported by the test modules: what the training does first has to happen before that.
ensure_torchvision()
# These networks are tiny: a second thread costs more than it brings, the more so beside other work.
torch.set_num_threads(1)

HUES = {"green": (40, 160, 60), "red": (190, 60, 50), "yellow": (200, 190, 60)}


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures a class, each of another shade; ``yellow`` is between the two others."""
    random = Random(3)
    folder = tmp_path_factory.mktemp("colours") / "data"
    for name, hue in HUES.items():
        (folder / name).mkdir(parents=True)
        for number in range(20):
            shade = tuple(max(0, min(255, value + random.randrange(-25, 25))) for value in hue)
            Image.new("RGB", (32, 40), shade).save(folder / name / f"{number:02d}.png")  # type: ignore[arg-type]
    return folder
