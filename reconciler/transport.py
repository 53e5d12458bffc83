"""One narrow pipe through the official SDK: JSON in, JSON out, our own errors.

The SDK brings tokens, headers and its retry of reads. It is used through its `rest_client`, because

* its list calls send `top` and `skip` without the `$` that the service expects, so its paging cannot be
  relied on;
* it rewrites the keys of bodies and answers between snake_case and camelCase, user keys included;
* its models reject answers with one field more or less than they know.

Reads ask for the raw bytes and decode them here; writes are sent as they are given.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import requests
from ai_api_client_sdk.exception import (
    AIAPIAuthenticatorAuthorizationException,
    AIAPIAuthenticatorException,
    AIAPIAuthenticatorForbiddenException,
    AIAPIAuthenticatorInvalidRequestException,
    AIAPIAuthorizationException,
    AIAPIInvalidRequestException,
    AIAPINotFoundException,
    AIAPIPreconditionFailedException,
    AIAPIServerException,
)

from reconciler.errors import (
    AmbiguousError,
    ApiError,
    AuthenticationError,
    ConflictError,
    InputRejectedError,
    NotFoundError,
    ReconcilerError,
    TransientError,
)
from reconciler.observability import METERS

_CREDENTIALS_REMEDY = (
    "Check the service key or profile named in the environment's aiCore section: "
    "client id, secret, URLs and resource group."
)
_AUTH_REFUSED = (
    AIAPIAuthenticatorInvalidRequestException,
    AIAPIAuthenticatorAuthorizationException,
    AIAPIAuthenticatorForbiddenException,
)
#: At level DEBUG the SDK logs bodies, and bodies hold the secrets that are given to AI Core.
logging.getLogger("ai-api-client-sdk").addFilter(lambda record: record.levelno > logging.DEBUG)
#: What a call through the SDK may raise. KeyError: an `error` envelope without code or message.
_SDK_ERRORS = (AIAPIServerException, AIAPIAuthenticatorException, requests.RequestException, KeyError)


class RestClient(Protocol):
    """The part of the SDK's rest client that is used."""

    base_url: str
    get_token: Callable[[], str]

    def get(self, path: str, **kwargs: Any) -> Any: ...

    def post(self, path: str, **kwargs: Any) -> Any: ...

    def patch(self, path: str, **kwargs: Any) -> Any: ...

    def delete(self, path: str, **kwargs: Any) -> Any: ...


class Transport:
    """Reads and writes below `<base>/v2`. The only place that knows the SDK's exceptions."""

    def __init__(self, rest_client: RestClient) -> None:
        self._rest = rest_client

    def get(
        self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The decoded JSON answer of one GET.

        Raises NotFoundError, AuthenticationError, InputRejectedError, TransientError, ApiError.
        """
        answer = _Answer()
        try:
            content = self._renewing(
                lambda: self._rest.get(
                    path,
                    params=dict(params or {}),
                    return_bytes_content=True,
                    convert_params_to_camel_case=False,
                    hooks={"response": answer},
                    **_beside(headers),
                )
            )
        except _SDK_ERRORS as error:
            answer.failed(error)
            raise translate(error, f"GET {path}", self._rest.base_url, write=False) from None
        try:
            return json.loads(content)
        except ValueError:
            raise _not_json(f"GET {path}", self._rest.base_url, write=False) from None

    def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Send one POST, once: the SDK never repeats a POST, and neither does this.

        Raises AmbiguousError where the server may or may not have acted.
        """
        return self._write(self._rest.post, f"POST {path}", path, body, headers)

    def patch(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """Send one PATCH, once. Raises AmbiguousError where the server may or may not have acted."""
        return self._write(self._rest.patch, f"PATCH {path}", path, body, headers)

    def delete(self, path: str) -> Mapping[str, Any]:
        """Send a DELETE; the SDK repeats it while the server is busy, so NotFoundError may mean that an
        earlier attempt has worked. Raises AmbiguousError where the server may or may not have acted.
        """
        return self._sent(f"DELETE {path}", lambda hooks: self._rest.delete(path, hooks=hooks))

    def _write(
        self,
        send: Callable[..., Any],
        call: str,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str] | None,
    ) -> Mapping[str, Any]:
        return self._sent(
            call,
            lambda hooks: send(
                path, body=dict(body), convert_body_to_camel_case=False, hooks=hooks, **_beside(headers)
            ),
        )

    def _sent(self, call: str, send: Callable[[dict[str, Any]], Any]) -> Mapping[str, Any]:
        answer = _Answer()
        try:
            body_of_answer = self._renewing(lambda: send({"response": answer}))
        except _SDK_ERRORS as error:
            answer.failed(error)
            failure = translate(error, call, self._rest.base_url, write=True)
            if isinstance(failure, TransientError):
                failure.retry_after = answer.retry_after
            raise failure from None
        if body_of_answer == "" and call.startswith("PATCH"):
            return {}  # so AI Core answers a PATCH of a resource group
        if not isinstance(body_of_answer, Mapping):
            raise AmbiguousError(f"{call}: the answer is not JSON, so its outcome is unknown.")
        return body_of_answer

    def _renewing(self, send: Callable[[], Any]) -> Any:
        """`send()`, once more with a new token where the kept one was refused: nothing was done with it."""
        try:
            return send()
        except AIAPIAuthorizationException:
            keeper = getattr(self._rest.get_token, "__self__", None)
            if keeper is None or getattr(keeper, "token", None) is None:
                raise
            keeper.token = keeper.token_expiry_date = None
            return send()


def _beside(headers: Mapping[str, str] | None) -> dict[str, Any]:
    """Arguments for the SDK, which overwrites a resource group in `headers` with its own."""
    if headers is None:
        return {}
    others = dict(headers)
    group = others.pop("AI-Resource-Group", None)
    return {"headers": others} | ({"resource_group": group} if group else {})


class _Answer:
    """Hook of `requests` that sees what the SDK hides: status code and Retry-After of one answer.

    A read that fails again and again is given up by urllib3, which has waited as Retry-After said; its
    code then stands in the text of the error only.
    """

    def __init__(self) -> None:
        self.retry_after: float | None = None
        self._seen = False

    def __call__(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._seen = True
        METERS.requests.add(str(response.status_code))
        self.retry_after = seconds_of(response.headers.get("Retry-After"), datetime.now(UTC))

    def failed(self, error: BaseException) -> None:
        if not self._seen:
            METERS.requests.add(_code_given_up(error) or "none")


_GIVEN_UP = re.compile(r"too many (\d{3}) error responses")


def _code_given_up(error: BaseException) -> str:
    """The status code for which urllib3 gave a read up; empty for any other error."""
    code = _GIVEN_UP.search(str(error)) if isinstance(error, requests.exceptions.RetryError) else None
    return code[1] if code else ""


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or a date; None for anything else."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}\s*", retry_after, flags=re.ASCII):
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def translate(error: BaseException, call: str, base_url: str, *, write: bool) -> ReconcilerError:
    """The error of our tree for one raised by the SDK; never carries a request body or a header."""
    if isinstance(error, AIAPIAuthenticatorException):
        return _authenticator_error(error, base_url)
    if isinstance(error, AIAPIServerException):
        return _server_error(error, call, base_url, write=write)
    if isinstance(error, KeyError):
        message = f"{call}: the server refused with an error that names no code or message."
        return AmbiguousError(message) if write else ApiError(message)
    if not write and (code := _code_given_up(error)):
        asks = " and asks for fewer requests" if code == "429" else ""
        return TransientError(f"{call}: {base_url} answers {code} again and again{asks}.")
    kind = type(error).__name__
    if write:
        return AmbiguousError(f"{call}: no clear answer from {base_url} ({kind}).")
    return TransientError(
        f"{call}: cannot reach {base_url} ({kind}).", remedy="Check the address and that AI Core is up."
    )


def _authenticator_error(error: AIAPIAuthenticatorException, base_url: str) -> ReconcilerError:
    if isinstance(error, _AUTH_REFUSED):
        # The token endpoint's text is left out: some echo the request, secret and all.
        return AuthenticationError(
            f"The credentials for {base_url} do not work: the token endpoint refused them.",
            remedy=_CREDENTIALS_REMEDY,
        )
    return TransientError(
        f"No token for {base_url}: the token endpoint does not answer.",
        remedy="Check the `url` of the service key and that AI Core is up.",
    )


def _server_error(error: AIAPIServerException, call: str, base_url: str, *, write: bool) -> ReconcilerError:
    status = int(getattr(error, "status_code", 0) or 0)
    said = f"{call}: {str(error.error_message)[:500]}"
    if isinstance(error, AIAPIAuthorizationException) or status in {401, 403}:
        return AuthenticationError(f"{said} (access refused)", remedy=_CREDENTIALS_REMEDY)
    if isinstance(error, AIAPINotFoundException):
        return NotFoundError(said)
    if isinstance(error, AIAPIInvalidRequestException | AIAPIPreconditionFailedException):
        return InputRejectedError(f"{said} (rejected by AI Core)", remedy="Change the spec accordingly.")
    if status == 404:
        return _not_json(call, base_url, write=write)
    if status == 409:
        return ConflictError(
            f"{said} (exists already)", remedy="Choose another name, or adopt the existing object."
        )
    if status == 429:
        return TransientError(f"{call}: AI Core asks for fewer requests (429).")
    if status >= 500:
        return AmbiguousError(f"{said} ({status})") if write else TransientError(f"{said} ({status})")
    return ApiError(f"{said} ({status})")


def _not_json(call: str, base_url: str, *, write: bool) -> ReconcilerError:
    """Most often the page of a proxy, whose server is away for a while; a wrong address looks the same.

    A read may be repeated. A write was answered "not found" by somebody else: it was not carried out, and is
    not sent again.
    """
    message = f"{call}: the answer does not come from the AI API."
    remedy = f"Check the API address of the service key: {base_url}"
    return ApiError(message, remedy=remedy) if write else TransientError(message, remedy=remedy)
