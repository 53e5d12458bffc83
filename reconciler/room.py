"""A limit on the bytes that all threads of a transfer hold in memory together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """Space for `size` bytes. What is larger than that waits until it is alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until `size` bytes are free, and take them."""
        wanted = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted

    def give(self, size: int) -> None:
        """Give back what `take` has taken."""
        with self._changed:
            self._free += min(size, self._size)
            self._changed.notify_all()

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        """`size` bytes for the duration of a block."""
        self.take(size)
        try:
            yield
        finally:
            self.give(size)
