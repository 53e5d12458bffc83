"""The page itself, and ``python -m trainer report DIR``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2

from trainer.inference.card import Card, ModelError, read_card
from trainer.report.blocks import Block, Chart, Table
from trainer.report.charts import picture_uri
from trainer.report.detection import detection_blocks
from trainer.report.evidence import Evidence, read_evidence
from trainer.report.labelled import classification_blocks, embedding_blocks

FILE = "report.html"
TEMPLATE = "page.html"

#: Fewer objects or pictures than this say little about a class.
FEW = 30


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a complete model folder, from nothing but that folder.

    Raises ``ModelError`` where the folder is no model, or was trained before reports were written.
    """
    card = read_card(folder)
    evidence = read_evidence(folder, card.task)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        title=f"{card.task}: {folder.resolve().name}",
        summary=_summary(card, evidence),
        blocks=list(_blocks(card, evidence)),
        limits=list(_limits(card, evidence)),
        card=_card_table(card),
    )
    path = folder / FILE
    path.write_text(page, encoding="utf-8")
    return path


def _metrics(card: Card) -> dict[str, dict[str, float]]:
    """Figures by split, in the order they were taken: the split that the model was chosen by comes first."""
    metrics = card.document.get("metrics")
    if not isinstance(metrics, Mapping) or not all(
        isinstance(values, Mapping) for values in metrics.values()
    ):
        raise ModelError(f"{card.folder}/model.json: metrics must be figures by split: train the model again")
    return {str(split): dict(values) for split, values in metrics.items()}


def _summary(card: Card, evidence: Evidence) -> str:
    count = len(evidence.pictures)
    of = f"{count} pictures of " if count else ""
    return (
        f"{len(card.classes)} classes, input {card.size[0]} x {card.size[1]} pixels. "
        f"Unless a table says otherwise, the figures are those of {of}the split {evidence.split}."
    )


def _blocks(card: Card, evidence: Evidence) -> Iterator[Block]:
    metrics, pictures = _metrics(card), evidence.pictures
    if card.task == "object-detection":
        yield from detection_blocks(card, metrics, pictures)  # type: ignore[arg-type]  # read for this task
    elif card.task == "image-classification":
        yield from classification_blocks(card, metrics, pictures)  # type: ignore[arg-type]
    else:
        yield from embedding_blocks(card, metrics)
    for title, note, name in (
        ("Course of the training", "Losses and figures over the steps.", "curves.png"),
        ("Confusion", "Rows are what is there, columns what was found.", "confusion_matrix.png"),
    ):
        if (path := card.folder / name).is_file():
            yield Chart(title, note, picture_uri(path))


def _limits(card: Card, evidence: Evidence) -> Iterator[str]:
    """What a reader must know before the model is trusted."""
    if evidence.split == "validation":
        yield "There was no test split: these figures are of the pictures that the weights were chosen by."
    counts = dict.fromkeys(range(len(card.classes)), 0)
    for picture in evidence.pictures:
        labels = getattr(picture, "labels", None)
        for label in [picture.label] if labels is None else labels:  # type: ignore[union-attr]
            counts[label] = counts.get(label, 0) + 1
    few = [
        card.classes[label] for label, count in counts.items() if count < FEW and label < len(card.classes)
    ]
    if few and evidence.pictures:
        yield f"Fewer than {FEW} examples of a class prove little about it: {', '.join(few)}."
    yield "Pictures of another camera, place or time than the training's are covered by no figure here."


def _card_table(card: Card) -> Table:
    document = card.document
    rows = [
        (key, _text(document[key])) for key in ("task", "network", "dataset", "training") if key in document
    ]
    parameters = document.get("parameters")
    if isinstance(parameters, Mapping):
        rows += [(f"parameter {name}", _text(value)) for name, value in parameters.items()]
    rows.append(("versions", _text(document.get("versions", {}))))
    return Table("Model card", "From model.json.", ("", ""), rows)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
