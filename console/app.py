"""The web application: five read-only pages over a `ReadPort`.

It shows what an attacker may have written (log lines, metric names, artifact names), so everything is escaped
by the template engine, the content policy forbids scripts altogether, and only requests addressed to this
machine are answered (a page elsewhere could otherwise reach it through a rebound name).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from console import compare, metrics, views
from console.pages import Pages
from console.port import ConsoleError, NotFoundError, ReadPort

HOSTS = ("127.0.0.1", "localhost", "[::1]")
REFRESH_SECONDS = 10

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

ExecutionId = Annotated[str, Path(pattern=r"^[\w.-]{4,64}$")]
Refresh = Annotated[bool, Query(description="reload by itself while something runs")]


def _utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    open_port: Callable[[], ReadPort],
    *,
    now: Callable[[], datetime] = _utc_now,
    failures: tuple[type[Exception], ...] = (),
) -> FastAPI:
    """Build the application.

    `open_port` is called once per request, so that a page never shows what an earlier one has read; `now` is
    the clock that ages are counted from. `failures` are errors of `open_port` whose message is meant for
    people (a spec that is not valid at the moment): they become a 502 page, others a bare 500. Bind the
    server to 127.0.0.1 (`console.serve` does): the pages have no login.
    """
    app = FastAPI(title="Corespec console", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*HOSTS])
    app.add_middleware(BaseHTTPMiddleware, dispatch=_add_headers)
    app.mount("/static", StaticFiles(directory=FilePath(__file__).parent / "static"), name="static")
    pages = Pages(now)
    _add_lists(app, open_port, pages)
    _add_execution(app, open_port, pages)
    _add_errors(app, pages, failures)
    return app


def _add_lists(app: FastAPI, open_port: Callable[[], ReadPort], pages: Pages) -> None:
    @app.get("/", response_class=HTMLResponse)
    def overview(refresh: Refresh = True) -> str:
        state = open_port().overview()
        counts = views.health_counts(state.rows)
        return pages.render("overview.html", state=state, counts=counts, **_reload("/", refresh))

    @app.get("/executions", response_class=HTMLResponse)
    def executions(status: str = "", q: str = "", page: int = 1) -> str:
        found = views.execution_page(open_port().executions(), status=status, query=q, page=page)
        return pages.render("executions.html", found=found, status=status, query=q, limit=compare.LIMIT)

    @app.get("/compare", response_class=HTMLResponse)
    def comparison(ids: Annotated[list[str] | None, Query(alias="id")] = None) -> str:
        port, chosen = open_port(), list(dict.fromkeys(ids or []))
        if not 1 <= len(chosen) <= compare.LIMIT:
            raise HTTPException(400, f"Choose between 1 and {compare.LIMIT} executions to compare.")
        pairs = [(port.execution(one), port.metrics(one).values) for one in chosen]
        return pages.render("compare.html", comparison=compare.compare(pairs))


def _add_execution(app: FastAPI, open_port: Callable[[], ReadPort], pages: Pages) -> None:
    @app.get("/executions/{execution_id}", response_class=HTMLResponse)
    def execution(execution_id: ExecutionId, refresh: Refresh = True) -> str:
        port = open_port()
        detail, measured = port.execution(execution_id), port.metrics(execution_id)
        lines, left_out = views.log_tail(port.logs(execution_id))
        live = views.is_live(detail.execution)
        return pages.render(
            "execution.html",
            detail=detail,
            flow=views.process_flow(detail),
            progress=measured.progress if live else None,
            remaining=views.remaining(measured.progress),
            metrics=metrics.table(measured.values),
            groups=metrics.chart_groups(measured.values),
            lines=lines,
            left_out=left_out,
            **(_reload(f"/executions/{execution_id}", refresh) if live else {}),
        )

    @app.get("/executions/{execution_id}/logs.txt")
    def logs(execution_id: ExecutionId) -> Response:
        attachment = {"Content-Disposition": f'attachment; filename="{execution_id}.log"'}
        return PlainTextResponse(views.log_text(open_port().logs(execution_id)), headers=attachment)


def _add_errors(app: FastAPI, pages: Pages, failures: tuple[type[Exception], ...]) -> None:
    def answer(code: int, message: str) -> HTMLResponse:
        return HTMLResponse(pages.render("error.html", code=code, message=message), status_code=code)

    @app.exception_handler(ConsoleError)
    def console_error(_: Request, error: ConsoleError) -> HTMLResponse:
        return answer(404 if isinstance(error, NotFoundError) else 502, str(error))

    def told(_: Request, error: Exception) -> HTMLResponse:
        return answer(502, str(error))

    for failure in failures:
        app.add_exception_handler(failure, told)

    @app.exception_handler(HTTPException)
    def http_error(_: Request, error: HTTPException) -> HTMLResponse:
        return answer(error.status_code, error.detail)

    @app.exception_handler(RequestValidationError)
    def bad_request(_: Request, error: RequestValidationError) -> HTMLResponse:
        fields = ", ".join(str(one["loc"][-1]) for one in error.errors())
        return answer(400, f"The address of this page is not valid: check {fields}.")


def _reload(path: str, wanted: bool) -> dict[str, Any]:
    """Template values of a page that reloads itself, and of the link that switches it off (WCAG 2.2.1)."""
    toggle = f"{path}?refresh=false" if wanted else path
    return {"refresh": REFRESH_SECONDS if wanted else None, "toggle": toggle}


async def _add_headers(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await proceed(request)
    response.headers.update(_HEADERS)
    return response
