"""Building a larger detector: from published weights, from a folder or file, or from nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import transformers
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    StrictDataclassError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from trainer.detection.pretrained.catalogue import BLUEPRINTS, Blueprint
from trainer.errors import ParameterError
from trainer.training.run import RANDOM

logger = logging.getLogger(__name__)

# What matters of a loading, absent weights, is an error below; the libraries would print every key, and bars.
_transformers_log: Any = transformers.logging  # parts of it have no types
_transformers_log.set_verbosity(logging.CRITICAL)
_transformers_log.disable_progress_bar()
disable_progress_bars()

FILES = ("config.json", "model.safetensors")

_HEADS = ("class_embed", "score_head", "denoising_class_embed")
"""Parts whose shape depends on the number of classes: they begin anew."""

_UNREACHABLE = (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError)


def build(name: str, classes: Sequence[str], size: tuple[int, int], weights: str, datain: Path) -> nn.Module:
    """The detector ``name`` of the catalogue for these classes and this input size (width, height).

    ``weights`` is "" for the published ones, ``random``, or a folder or file, relative to ``datain``. Raises
    ``ParameterError`` where weights cannot be fetched or do not fit.
    """
    model = _built(name, classes, weights, datain)
    config: Any = model.config
    # It looks for the best points first: of a small picture there are fewer than of those it was made for.
    points = sum((size[0] // stride) * (size[1] // stride) for stride in config.feat_strides)
    config.num_queries = min(config.num_queries, points)
    return model


def _built(name: str, classes: Sequence[str], weights: str, datain: Path) -> nn.Module:
    blueprint = BLUEPRINTS[name]
    if weights == RANDOM:
        # A backbone that begins at random has to learn its normalisation, too.
        config = _configured(blueprint, classes, freeze_backbone_batch_norms=False)
        fresh: nn.Module = _model(blueprint)(config)
        return fresh
    source = datain / weights if weights else _fetched(name, blueprint)
    if source.is_file() and source.with_name("config.json").is_file():
        source = source.parent
    try:
        if source.is_dir():
            return _from_folder(name, blueprint, classes, source)
        return _from_file(name, blueprint, classes, source)
    except (OSError, ValueError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ParameterError(
            [f"parameter weights: {source} cannot be loaded as {name} ({reason}); {_remedy(name)}"]
        ) from error


def _fetched(name: str, blueprint: Blueprint) -> Path:
    """The folder with the published weights, from the library's cache or the network."""
    try:
        return Path(huggingface_hub.snapshot_download(blueprint.published, allow_patterns=list(FILES)))
    except _UNREACHABLE as error:
        why = f"the published weights of {name} cannot be fetched here ({type(error).__name__})"
        raise ParameterError([f"parameter weights: {why}; {_remedy(name)}"]) from error


def _remedy(name: str) -> str:
    repository = BLUEPRINTS[name].published
    return (
        f"where there is a network, run `hf download {repository} {' '.join(FILES)} --local-dir FOLDER`, "
        "put the folder into the dataset and set weights to its name; or start from nothing with "
        f"weights={RANDOM}"
    )


def _from_folder(name: str, blueprint: Blueprint, classes: Sequence[str], folder: Path) -> nn.Module:
    """Weights beside the ``config.json`` that describes them."""
    for file in FILES:
        if not (folder / file).is_file():
            raise OSError(f"there is no {file}")
    described = json.loads((folder / FILES[0]).read_text(encoding="utf-8"))
    if not isinstance(described, dict) or described.get("model_type") != blueprint.family:
        raise ValueError(f"config.json describes no model of type {blueprint.family}")
    config = _config_class(blueprint).from_dict({**described, **_labels(classes)})
    return _filled(name, blueprint, config, load_file(folder / FILES[1]), folder)


def _from_file(name: str, blueprint: Blueprint, classes: Sequence[str], file: Path) -> nn.Module:
    """Bare weights of the catalogue's own configuration."""
    return _filled(name, blueprint, _configured(blueprint, classes), load_file(file), file)


def _filled(
    name: str, blueprint: Blueprint, config: Any, weights: Mapping[str, Any], source: Path
) -> nn.Module:
    """The model with these weights in it, but for the heads of other classes. Raises ValueError."""
    heads = {key: value for key, value in weights.items() if any(head in key for head in _HEADS)}
    fits = all(len(value) in (config.num_labels, config.num_labels + 1) for value in heads.values())
    body = {key: value for key, value in weights.items() if fits or key not in heads}
    model, found = _model(blueprint).from_pretrained(
        None, config=config, state_dict=body, output_loading_info=True
    )
    absent = sorted(key for key in found["missing_keys"] if not any(head in key for head in _HEADS))
    if absent:
        raise ValueError(f"{len(absent)} weights are absent, such as {absent[0]}")
    logger.info("weights of %s from %s; the class head %s", name, source, "fits" if fits else "begins anew")
    built: nn.Module = model
    return built


def _configured(blueprint: Blueprint, classes: Sequence[str], **how: Any) -> Any:
    backbone: Any
    if blueprint.family == "d_fine":
        backbone = transformers.HGNetV2Config(**blueprint.backbone)
    else:
        backbone = transformers.RTDetrResNetConfig(**blueprint.backbone)
    return _config_class(blueprint)(
        backbone_config=backbone, **{**blueprint.detector, **_labels(classes), **how}
    )


def _labels(classes: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(classes)),
        "label2id": {name: index for index, name in enumerate(classes)},
    }


def _config_class(blueprint: Blueprint) -> Any:
    return transformers.DFineConfig if blueprint.family == "d_fine" else transformers.RTDetrV2Config


def _model(blueprint: Blueprint) -> Any:
    if blueprint.family == "d_fine":
        return transformers.DFineForObjectDetection
    return transformers.RTDetrV2ForObjectDetection
