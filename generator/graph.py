"""Graphs of names."""

from __future__ import annotations

from collections.abc import Mapping


def find_cycle(edges: Mapping[str, list[str]]) -> list[str]:
    """A cycle in a graph as the names along it, first name repeated at the end; empty when there is none."""
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        stack = [(start, iter(edges[start]))]
        while stack:
            node, following = stack[-1]
            if node not in path:
                path.append(node)
            step = next((item for item in following if item in edges and item not in done), None)
            if step in path:
                return [*path[path.index(str(step)) :], str(step)]
            if step is None:
                done.add(node)
                path.pop()
                stack.pop()
            else:
                stack.append((step, iter(edges[step])))
    return []
