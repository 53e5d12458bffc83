"""A lock as a Lease of Kubernetes: each write names the `resourceVersion` that it replaces.

`kubectl get lease` shows the holder in the fields that every leader election fills; what decides is the
record in an annotation, by the time that the API server stamps on its answers. Nothing is ever deleted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import yaml

from reconciler.clock import Clock, SystemClock
from reconciler.errors import (
    AuthenticationError,
    InputRejectedError,
    LockUnavailableError,
    ReconcilerError,
    TransientError,
)
from reconciler.lock_base import LIFETIME, LockRecord
from reconciler.lock_expiring import Seen
from reconciler.retry import repeat_read

try:
    import urllib3
    from kubernetes import client, config
    from kubernetes.config.config_exception import ConfigException
except ImportError:
    raise LockUnavailableError(
        "A lock of type `lease` needs the Kubernetes client, which is not installed.",
        remedy="pip install 'corespec[kubernetes]'",
    ) from None

T = TypeVar("T")

__all__ = ["ANNOTATION", "LeaseSlot", "connect"]

_LOADER: Any = config  # the package says that it is typed, and these functions are not
#: Of the Lease: the whole record, as every kind of lock has it.
ANNOTATION = "corespec/lock"
_DELAYS = (0.5, 2.0, 6.0)
_TIMEOUT = (5, 15)  #: seconds to connect, and to answer
_REASON = re.compile(r"[A-Za-z]{1,40}")
#: What comes out of the client for whatever is wrong in a kubeconfig.
_BROKEN = (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError)
_RIGHTS = (
    "deploy/kubernetes/rbac.yaml gives the rights: get and update on this Lease, create in its namespace."
)


def connect(environ: Mapping[str, str] | None = None) -> Any:
    """The API of Leases: of the cluster around this pod, else of the current context of kubeconfig.

    Raises LockUnavailableError where neither is there; what could not be read is not said: it may be a key.
    """
    known = os.environ if environ is None else environ
    configuration = client.Configuration()
    try:
        _LOADER.load_incluster_config(client_configuration=configuration)
    except ConfigException:
        _read_kubeconfig(configuration, known.get("KUBECONFIG") or None)
    configuration.retries = False  # repeating is done here, on the clock of this package
    return client.CoordinationV1Api(client.ApiClient(configuration))


def _read_kubeconfig(configuration: Any, path: str | None) -> None:
    try:
        _LOADER.load_kube_config(config_file=path, client_configuration=configuration)
    except _BROKEN as error:
        raise LockUnavailableError(
            "No way into Kubernetes: there is no service account's token, and kubeconfig "
            f"cannot be used ({type(error).__name__}).",
            remedy="In a pod, mount the token as deploy/kubernetes/deployment.yaml does; elsewhere set "
            "KUBECONFIG to a file with a current context: `kubectl config current-context` shows it.",
        ) from None


class LeaseSlot:
    """One Lease, as `reconciler.lock_expiring.Slot`; its tag is the `resourceVersion`."""

    def __init__(self, api: Any, namespace: str, name: str, clock: Clock | None = None) -> None:
        """`api`: what `connect` gives."""
        self._api, self._namespace, self._name = api, namespace, name
        self._clock = clock or SystemClock()
        self._last: dict[str, Any] = {}
        self.where = f"Lease {name} in namespace {namespace} at {api.api_client.configuration.host}"

    def get(self) -> Seen:
        def request() -> Seen:
            try:
                answer = self._api.read_namespaced_lease(
                    self._name, self._namespace, _preload_content=False, _request_timeout=_TIMEOUT
                )
            except client.ApiException as error:
                if error.status != 404:
                    raise
                self._last = {}
                return Seen(None, "", _date(error.headers))
            lease = _document(answer.data)
            self._last = lease
            return Seen(_content(lease), str(lease["metadata"]["resourceVersion"]), _date(answer.headers))

        return self._ask(request)

    def put(self, content: bytes, replacing: str) -> bool:
        last = self._last
        if last and not replacing:
            return False  # it was there a moment ago: whoever may not create need not try
        known = last if last and last["metadata"]["resourceVersion"] == replacing else {}
        body = self._body(content, known, replacing)

        options = {"_preload_content": False, "_request_timeout": _TIMEOUT}

        def request() -> bool:
            try:
                if replacing:
                    answer = self._api.replace_namespaced_lease(self._name, self._namespace, body, **options)
                else:
                    answer = self._api.create_namespaced_lease(self._namespace, body, **options)
                _document(answer.data)
            except client.ApiException as error:
                if _overtaken(error, bool(replacing)):
                    return False
                raise
            return True

        return self._ask(request)

    def _body(self, content: bytes, known: Mapping[str, Any], replacing: str) -> dict[str, Any]:
        """The Lease with this record; what others have written on it stays."""
        record = LockRecord.parse(content)
        metadata = {k: v for k, v in known.get("metadata", {}).items() if k != "managedFields"}
        metadata |= {"name": self._name, "namespace": self._namespace}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: content.decode()}
        if replacing:
            metadata["resourceVersion"] = replacing
        before = known.get("spec") or {}
        holder = None if record.released else f"{record.host}_{record.token[:8]}"
        changed = replacing and holder and holder != before.get("holderIdentity")
        spec = {
            **before,
            "holderIdentity": holder,
            "leaseDurationSeconds": int(LIFETIME.total_seconds()),
            "acquireTime": _micro_time(record.taken_at),
            "renewTime": _micro_time(record.expires_at - LIFETIME),
            "leaseTransitions": (before.get("leaseTransitions") or 0) + bool(changed),
        }
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def _ask(self, request: Callable[[], T]) -> T:
        def once() -> T:
            try:
                return request()
            except client.ApiException as error:
                raise self._refused(error) from None
            except (urllib3.exceptions.HTTPError, ConfigException, OSError) as error:
                raise TransientError(f"it cannot be reached ({type(error).__name__}).") from None
            except (ValueError, KeyError, TypeError):
                raise TransientError("its answer is no Lease.") from None

        try:
            return repeat_read(once, self._clock, _DELAYS)
        except ReconcilerError as error:
            raise LockUnavailableError(
                f"The lock {self.where} cannot be used, so nothing is written: {error.message}",
                remedy=error.remedy,
                transient=isinstance(error, TransientError),
            ) from None

    def _refused(self, error: Any) -> ReconcilerError:
        status, said = int(error.status or 0), _reason(error)
        if not status:
            return AuthenticationError(
                "its certificate cannot be verified.", remedy="Check the server and its CA in kubeconfig."
            )
        if status >= 500 or status == 429:
            after = str((error.headers or {}).get("Retry-After", ""))
            return TransientError(
                f"it failed ({said}).", retry_after=float(after) if after.isdecimal() else None
            )
        if status == 401:
            return AuthenticationError(
                f"the credentials are not accepted ({said}).",
                remedy="Check the service account's token, or the user in kubeconfig.",
            )
        if status == 403:
            return AuthenticationError(f"the rights are missing ({said}).", remedy=_RIGHTS)
        if status == 404:
            return InputRejectedError(
                f"the namespace is not there ({said}).",
                remedy="Create it, or name another one in the environment's `lock`.",
            )
        return InputRejectedError(f"it refused ({said}).", remedy="Check `lock` in the environment.")


def _content(lease: Mapping[str, Any]) -> bytes | None:
    """The record; None in a Lease that was made for us and nobody has held; b"" where somebody else does."""
    text = (lease["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is not None:
        return str(text).encode()
    return b"" if (lease.get("spec") or {}).get("holderIdentity") else None


def _overtaken(error: Any, replacing: bool) -> bool:
    """Refused because of the condition: somebody else was faster, or the Lease is not there any more.

    422 is what the API says of a `resourceVersion` that none can be, and of every field that is wrong.
    """
    if error.status == 422:
        causes = (_status(error).get("details") or {}).get("causes") or []
        return any(cause.get("field") == "metadata.resourceVersion" for cause in causes)
    return error.status == 409 or (error.status == 404 and replacing)


def _status(error: Any) -> dict[str, Any]:
    """The `Status` in the body of a refusal; empty where a proxy has answered."""
    try:
        return _document(error.body or b"")
    except ValueError:
        return {}


def _reason(error: Any) -> str:
    """The API's word for what is wrong, and nothing that could be anything else."""
    word = str(_status(error).get("reason", ""))
    return f"{error.status} {word}" if _REASON.fullmatch(word) else str(error.status)


def _document(body: bytes | str) -> dict[str, Any]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("no object of the API")
    return document


def _micro_time(moment: datetime) -> str:
    """As the API wants it, which refuses a second without six digits after it.

    The client reads this and writes it anew, and leaves six zeros out: hence one microsecond.
    """
    return moment.replace(microsecond=moment.microsecond or 1).isoformat(timespec="microseconds")


def _date(headers: Any) -> datetime | None:
    """The server's time when it answered; None where it does not say."""
    try:
        return parsedate_to_datetime((headers or {})["Date"])
    except (KeyError, ValueError, TypeError):
        return None
