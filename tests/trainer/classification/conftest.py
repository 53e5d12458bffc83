"""torch as the training finds it."""

from __future__ import annotations

import torch

from trainer.torchvision_remedy import ensure_torchvision

# Lightning is imported by the test modules: what the training does first has to happen before that.
ensure_torchvision()
# These networks are tiny: a second thread costs more than it brings, the more so beside other work.
torch.set_num_threads(1)
