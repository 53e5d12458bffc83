"""What a supervisor is told: the job (a file, without secrets) and the secrets (a pipe, never a file)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from localcore.store.secrets import Secret
from localcore.store.store import Store
from localcore.workflow.errors import WorkflowError
from localcore.workflow.model import Workflow

_METADATA = "storage.ai.sap.com/"
_SUFFIX = "-object-store-secret"
_KEPT = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV"),
        *("XDG_CACHE_HOME", "TORCH_HOME", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SSL_CERT_FILE"),
    }
)
_KEPT_PREFIXES = ("OMP_", "MKL_", "OPENBLAS_")


@dataclass(frozen=True)
class Job:
    """One execution to run. `inputs`: port -> artifact URL.

    `folder`: the workplace under a shell-safe name.
    """

    execution_id: str
    document: dict[str, Any]
    parameters: dict[str, str]
    inputs: dict[str, str]
    folder: str
    objects: str
    environment: dict[str, str]
    grace: float

    def packed(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Bundle:
    """Secrets for one execution: object stores by name, and Kubernetes-like secrets name -> key -> value."""

    stores: dict[str, dict[str, Any]] = field(repr=False)
    secrets: dict[str, dict[str, str]] = field(repr=False)

    def packed(self) -> dict[str, Any]:
        return {"stores": self.stores, "secrets": self.secrets}


def filtered(environment: Mapping[str, str]) -> dict[str, str]:
    """The few variables of the server's own environment that a container may see."""
    return {
        key: value for key, value in environment.items() if key in _KEPT or key.startswith(_KEPT_PREFIXES)
    }


def _store(secret: Secret) -> dict[str, Any]:
    fields = {key.removeprefix(_METADATA): value for key, value in secret.metadata.items()}
    return fields | {"name": secret.name, "data": secret.data}


def _wanted(workflow: Workflow) -> set[str]:
    found: set[str] = set()
    for template in workflow.templates.values():
        if template.container is not None:
            found |= {secret for _, secret, _ in template.container.env_secrets}
            found |= {secret for secret, _ in template.container.env_from}
    return found


def _decoded(secret: Secret) -> dict[str, str]:
    try:
        return {key: base64.b64decode(value, validate=True).decode() for key, value in secret.data.items()}
    except (binascii.Error, UnicodeDecodeError):
        raise WorkflowError(f"the secret {secret.name} holds a value that is not base64 text") from None


def bundle(store: Store, resource_group: str, workflow: Workflow, input_stores: set[str]) -> Bundle:
    """The secrets an execution needs and no others. Raises WorkflowError when one is missing."""
    stores = {}
    for name in {"default"} | input_stores:
        secret = store.object_stores.get(resource_group, name)
        if secret is None:
            raise WorkflowError(
                f"the object store secret {name} is not registered in resource group {resource_group}"
            )
        stores[name] = _store(secret)
    secrets = {}
    for name in _wanted(workflow):
        known = (
            store.object_stores.get(resource_group, name.removesuffix(_SUFFIX))
            if name.endswith(_SUFFIX)
            else None
        )
        if known is not None:
            secrets[name] = known.data
            continue
        generic = store.generic_secrets.visible(resource_group, name)
        if generic is None:
            raise WorkflowError(f"the secret {name} is not registered")
        secrets[name] = _decoded(generic)
    return Bundle(stores, secrets)
