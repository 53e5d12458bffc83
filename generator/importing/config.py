"""A `workflow_config` of the content packages (YAML, JSON, a dict) as an executable of the spec language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.catalog import Workflow
from generator.errors import InputError
from generator.importing.identity import Identity, IdentityReader
from generator.importing.images import complete, has_host, problem
from generator.importing.model import Account, Draft, Foreign
from generator.importing.oldpackage import PACKAGE, PLANS, changed_defaults, chosen, guess_workflow
from generator.spec.findings import Findings
from generator.spec.parameters import UnfitValueError
from generator.spec.reader import Path
from generator.spec.scalars import spelled
from generator.spec.types import KNOWN_PLANS, DockerSecretName
from generator.suggest import did_you_mean

_PLAN, _INSTANCE = "ai.sap.com/resourcePlan", "ai.sap.com/instanceType"
_IDENTITY = frozenset({"name", "labels", "annotations"})
_READ = frozenset({".contentPackage", ".workflow", ".dockerType", "image", "imagePullSecret", "parameters"})
_STORE_SUFFIX = "-object-store-secret"
_OPTION_REASON = "an option of Metaflow; nothing here runs Metaflow"


def is_config(data: Mapping[str, Any]) -> bool:
    """Whether a document is a workflow_config rather than a template."""
    return "apiVersion" not in data and "kind" not in data and "spec" not in data


def read_config(
    source: Foreign, catalog: Mapping[str, Workflow], workflow: str | None = None, name: str | None = None
) -> Draft:
    """What a workflow_config asks for. `workflow` goes before what the file says, `name` too.

    Raises InputError with every finding.
    """
    return _Config(source, catalog).draft(workflow, name)


class _Config:
    def __init__(self, source: Foreign, catalog: Mapping[str, Workflow]) -> None:
        self.source = source
        self.data = source.data
        self.catalog = catalog
        self.findings: Findings = source.findings()
        self.account = Account(source.path)
        self.reader = IdentityReader(self.findings, self.account)

    def draft(self, asked: str | None, name: str | None) -> Draft:
        identity = self.reader.read(self.data, name)
        workflow = self._workflow(asked)
        image = self._image()
        secret = self._secret()
        machine = self._machine(workflow, identity)
        if workflow is None or self.findings.items:
            raise InputError(self.findings.items)
        configuration = self._configuration(identity.id, workflow)
        if self.findings.items:
            raise InputError(self.findings.items)
        self._leftovers(identity)
        self._new_defaults(workflow, {} if configuration is None else configuration["parameters"])
        executable = {"workflow": workflow.name, "image": image, **secret, **machine, **identity.executable}
        expected = identity.expected
        datasets = {} if configuration is None else self._datasets(workflow, identity)
        configurations = {} if configuration is None else {"imported": configuration}
        return Draft(
            source=self.source,
            id=identity.id,
            metadata=identity.scenario,
            executable=executable,
            datasets=datasets,
            configurations=configurations,
            expected=expected,
            rows=tuple(self.account.rows),
        )

    def _workflow(self, asked: str | None) -> Workflow | None:
        """The workflow asked for, else the one the file names, else the one its name speaks of."""
        package = spelled(self.data.get(".contentPackage"))
        if package is not None and package != PACKAGE and asked is None:
            message = (
                f"the catalogue follows the package `{PACKAGE}`; say which workflow it is: --workflow NAME"
            )
            self._note((".contentPackage",), "unknown-package", message)
            return None
        if package is not None:
            reason = "the catalogue comes with corespec; nothing has to be installed"
            self.account.dropped(".contentPackage", str(package), reason)
        named = spelled(self.data.get(".workflow"))
        word = asked or (str(named) if named is not None else None) or self._guessed()
        if word is None:
            message = "the file does not say which workflow it is for; name it: --workflow NAME"
            self._note((), "missing-workflow", f"{message} ({did_you_mean('', self.catalog)})")
            return None
        if word not in self.catalog:
            where: Path = () if asked else (".workflow",)
            message = f"the catalogue has no workflow `{word}`; {did_you_mean(word, self.catalog)}"
            self._note(where, "unknown-workflow", message)
            return None
        if asked and named is not None and asked != named:
            self.account.changed("workflow", str(named), asked, "--workflow")
        elif asked or named is not None:
            self.account.carried("workflow", word)
        return self.catalog[word]

    def _guessed(self) -> str | None:
        names = [str(spelled(self.data.get(key)) or "") for key in ("name", "image")]
        found = guess_workflow(*names)
        if found is None:
            return None
        reason = f"guessed from `{found[1]}`; --workflow NAME says otherwise"
        self.account.changed("workflow", "", found[0], reason)
        return found[0]

    def _image(self) -> str:
        if self.data.get("image") is None:
            self._note(("image",), "missing-key", "the image is missing")
            return ""
        image = self.reader.text(self.data["image"], ("image",))
        if "<" in image:
            return image
        if "/" not in image:
            message = f"`{image}` has neither registry nor user name; write `docker.io/USER/{image}`"
            self._note(("image",), "image-host", message)
            return image
        trouble = problem(image)
        if trouble:
            self._note(("image",), "image", f"`{image}`: {trouble}")
        if has_host(image):
            self.account.carried("image", image)
        else:
            reason = "AI Core wants the registry host; this is the one that Docker meant"
            self.account.changed("image", image, complete(image), reason)
        return complete(image)

    def _secret(self) -> dict[str, str]:
        if not self.data.get("imagePullSecret"):
            return {}
        secret = self.reader.text(self.data["imagePullSecret"], ("imagePullSecret",))
        self.reader.checked(secret, DockerSecretName, ("imagePullSecret",))
        self.account.carried("imagePullSecret", secret)
        return {"imagePullSecret": secret}

    def _machine(self, workflow: Workflow | None, identity: Identity) -> dict[str, Any]:
        """Machine size and base image: from the options where they say it, else what the package wrote."""
        result = self._size(identity) or {"resourcePlan": PLANS[workflow.kind if workflow else "training"]}
        if result.get("resourcePlan") and not any(row.subject == "machine" for row in self.account.rows):
            self.account.changed(
                "machine", "", result["resourcePlan"], "what the package wrote into templates"
            )
        kind = spelled(self.data.get(".dockerType"))
        if kind not in {None, "gpu", "cpu"}:
            self._note((".dockerType",), "unknown-value", "must be `gpu` or `cpu`")
        elif kind is not None:
            self.account.carried(".dockerType", str(kind))
            result["gpu"] = kind == "gpu"
        return result

    def _size(self, identity: Identity) -> dict[str, Any] | None:
        options = self.data.get("additionalOptions")
        extra = options.get("labels") if isinstance(options, dict) else None
        labels = {**(extra if isinstance(extra, dict) else {}), **identity.other_labels}
        plan, instance = spelled(labels.get(_PLAN)), spelled(labels.get(_INSTANCE))
        if plan in KNOWN_PLANS:
            self.account.carried("machine", str(plan))
            return {"resourcePlan": str(plan)}
        if instance:
            self.account.carried("machine", str(instance))
            return {"instanceType": str(instance)}
        return None

    def _configuration(self, executable: str, workflow: Workflow) -> dict[str, Any] | None:
        """A configuration of the parameters that somebody chose; None when nobody chose any."""
        section = self.data.get("parameters")
        own = section if isinstance(section, dict) else {}
        values = {**self.source.bindings, **own}
        try:
            parameters = chosen(workflow, values)
        except UnfitValueError as error:
            self._note(("parameters",), error.code, str(error))
            return None
        for name in values:
            if name not in workflow.parameters:
                hint = did_you_mean(name, workflow.parameters)
                self.account.dropped(f"parameter {name}", str(values[name]), f"no such parameter; {hint}")
        if workflow.kind == "serving":
            for name, value in parameters.items():
                reason = (
                    "a value of a deployment: write it under `deployments` once there is a model to serve"
                )
                self.account.dropped(f"parameter {name}", value, reason)
            return None
        for name, value in parameters.items():
            self.account.carried(f"parameter {name}", value)
        if not parameters:
            return None
        inputs = {port: _dataset(port) for port, item in workflow.inputs.items() if item.required}
        return {"executable": executable, "inputs": inputs, "parameters": parameters}

    def _datasets(self, workflow: Workflow, identity: Identity) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for port, item in workflow.inputs.items():
            name = _dataset(port)
            kind = {} if item.kind == "dataset" else {"kind": item.kind}
            path = f"{identity.scenario['name']}/{name}"
            found[name] = {**kind, "source": f"data/{name}", "path": path}
            reason = f"put the files into data/{name}, or name the folder that holds them"
            self.account.changed(f"input {port}", "", f"dataset {name}", reason)
        return found

    def _new_defaults(self, workflow: Workflow, bound: Mapping[str, str]) -> None:
        before = "the package's own"
        reason = "another program: its image is built from rendered/ by `corespec image build`"
        self.account.changed("image content, command", before, "python -m trainer", reason)
        for name, (there, here) in changed_defaults(workflow).items():
            if name not in bound:
                reason = "docs/catalog.md says why; a configuration can set another"
                self.account.changed(f"default of {name}", there, here, reason)

    def _leftovers(self, identity: Identity) -> None:
        """Say of everything else why it goes no further."""
        for key, value in identity.other_labels.items():
            if key not in {_PLAN, _INSTANCE}:
                self.account.dropped(
                    f"label {key}", value, "only `ext.ai.sap.com/…` labels are kept in specs"
                )
        for key, value in identity.other_annotations.items():
            reason = "AI Core's own annotations come from the catalogue; others have no place in a spec"
            self.account.dropped(f"annotation {key}", value, reason)
        for key, value in self.data.items():
            if key == "objectStoreSecret":
                self.account.dropped(key, str(spelled(value)), _store_reason(str(spelled(value))))
            elif key == "additionalOptions" and isinstance(value, dict):
                self._options(value)
            elif key not in _IDENTITY | _READ:
                self.account.dropped(key, _short(value), "no key of a workflow_config that is known")

    def _options(self, options: Mapping[str, Any]) -> None:
        for key, value in options.items():
            for word, item in value.items() if isinstance(value, dict) else (("", value),):
                if word not in {_PLAN, _INSTANCE}:
                    subject = f"additionalOptions.{key}" + (f".{word}" if word else "")
                    self.account.dropped(subject, _short(item), _OPTION_REASON)

    def _note(self, where: Path, code: str, message: str) -> None:
        self.findings.add(where, code, message)


def _dataset(port: str) -> str:
    """Name of the dataset that an input reads first: the names of `corespec init`."""
    return "pictures" if port == "datain" else port


def _store_reason(secret: str) -> str:
    store = secret.removesuffix(_STORE_SUFFIX)
    reason = "only Metaflow's own data store needed it; AI Core mounts inputs and keeps outputs by itself"
    return reason if store == "default" else f"{reason} (datasets name their store: `objectStore: {store}`)"


def _short(value: object) -> str:
    text = str(spelled(value))
    return text if len(text) <= 80 else f"{text[:79]}…"
