"""Templates: one strict Jinja environment, and the filters that the pages speak with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from jinja2 import Environment, PackageLoader, StrictUndefined

from console import text, views
from console.port import Execution


class Pages:
    """Renders the templates; everything is escaped, and a misspelt variable is an error instead of a gap."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._environment = Environment(
            loader=PackageLoader("console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            age=lambda moment: text.age(moment, now()),
            moment=text.moment,
            number=text.number,
            duration=text.duration,
            tone=text.tone,
            run_time=self._run_time,
        )

    def render(self, template: str, /, **values: object) -> str:
        """The page as HTML; `refresh` and `toggle` are None unless the page reloads itself."""
        return self._environment.get_template(template).render({"refresh": None, "toggle": None, **values})

    def _run_time(self, execution: Execution) -> timedelta | None:
        return views.run_time(execution, self._now())
