"""Strict YAML: plain data only, no duplicate keys, and no document that unfolds beyond measure."""

from __future__ import annotations

from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_NODES = 100_000


class DocumentError(ValueError):
    """A file is not usable YAML; the message says where."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    "while reading a mapping",
                    node.start_mark,
                    f"found the key {key!r} twice",
                    key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _unfolded(value: Any, known: dict[int, int]) -> int:
    """How many values a document holds once its aliases are written out; each shared part is counted once."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = MAX_NODES + 1  # met again while being counted: the document contains itself
    parts = value.values() if isinstance(value, dict) else value
    known[id(value)] = 1 + sum(_unfolded(part, known) for part in parts)
    return known[id(value)]


def load_documents(text: bytes) -> list[Any]:
    """The documents of a YAML or JSON file, empty ones left out. Raises DocumentError."""
    if len(text) > MAX_BYTES:
        raise DocumentError(f"the file has {len(text)} bytes; at most {MAX_BYTES} are read")
    try:
        documents = list(yaml.load_all(text.decode("utf-8"), Loader=_Loader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise DocumentError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise DocumentError("the document is nested too deeply") from error
    if _unfolded(documents, {}) > MAX_NODES:
        raise DocumentError("the document unfolds into too many values (anchors and aliases)")
    return [document for document in documents if document is not None]
