"""Container paths on a machine without containers: declared paths are replaced wherever a container names
them.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# What may stand next to a path without being part of its last name: `/tmp/model` is not in `/tmp/model2`,
# and not in `/mnt/tmp/model`.
_BEFORE = r"(?<![\w.~}-])"
_AFTER = r"(?![\w@%+~-])(?!\.+\w)"


def rewrite(text: str, paths: Mapping[str, str]) -> str:
    """Replace each declared path by its place on this machine.

    The longest path that fits, at name boundaries, once.
    """
    declared = sorted((path for path in paths if path), key=len, reverse=True)
    if not declared:
        return text
    alternatives = "|".join(re.escape(path) for path in declared)
    return re.sub(f"{_BEFORE}({alternatives}){_AFTER}", lambda match: paths[match[1]], text)
