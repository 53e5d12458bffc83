"""A WorkflowTemplate or ServingTemplate that exists, as an executable of the spec language.

One that corespec rendered goes back to the workflow that it came from. Any other keeps what it runs: it
becomes a workflow folder of the user's own. Only `--workflow` moves it to a workflow of the catalogue, which
is another program.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from generator.catalog import Workflow
from generator.diff.parse import parse_text
from generator.errors import Diagnostic, InputError
from generator.importing.builtin import misfits, own_trainer, placed, rendered_from
from generator.importing.embedded import embedded_image, embedded_secret
from generator.importing.facts import ARTIFACTS, INSTANCE, PLAN, Facts, Port, containers
from generator.importing.identity import Identity, IdentityReader
from generator.importing.mend import DEFAULT_PLAN, mended
from generator.importing.model import Account, Draft, Foreign
from generator.importing.oldpackage import chosen, guess_workflow, old_default
from generator.importing.own import is_decidable, own_workflow
from generator.importing.places import holds_reserved_words
from generator.lint import errors, lint
from generator.spec.findings import Findings
from generator.spec.parameters import UnfitValueError, canonical
from generator.spec.reader import Path
from generator.spec.types import DockerSecretName
from generator.suggest import did_you_mean

# Said better, or mended, by the import itself.
_OWN_CODES = frozenset({"executable-name", "scenario-label", "version-label", "name-annotation"})
_SHAPE = frozenset({"template-kind", "template-schema", "serving-text"})


def read_template(
    source: Foreign, catalog: Mapping[str, Workflow], workflow: str | None = None, name: str | None = None
) -> Draft:
    """What a template asks for. Raises InputError with every finding."""
    account, findings = Account(source.path), source.findings()
    shape = [item for item in lint(source.data, source.path, source.positions) if item.code in _SHAPE]
    findings.items += errors(shape) or _metadata(source)
    if findings.items:
        raise InputError(findings.items)
    document = mended(source.data, account)
    identity = IdentityReader(findings, account, ("metadata",)).read(document["metadata"], name)
    _placeholders(Facts(document), IdentityReader(findings, account))
    reader = _Template(source, document, identity, findings, account)
    if source.comments:
        account.dropped("comments", "", "only data is read; copy what matters into the spec")
    if workflow is not None:
        return reader.moved(workflow, catalog)
    return reader.kept(catalog)


def _metadata(source: Foreign) -> list[Diagnostic]:
    """What the metadata must be before anything can be said of it."""
    findings, metadata = source.findings(), source.data.get("metadata")
    if not isinstance(metadata, dict):
        findings.add(("metadata",), "template-schema", "a template has `metadata` with its name and labels")
        return findings.items
    for key in ("labels", "annotations"):
        section = metadata.get(key)
        if section is not None and not isinstance(section, dict):
            findings.add(("metadata", key), "wrong-type", "must be a mapping (`key: value` lines)")
        for word, value in section.items() if isinstance(section, dict) else ():
            if isinstance(value, dict | list):
                findings.add(("metadata", key, word), "wrong-type", "must be text")
    return findings.items


def _placeholders(facts: Facts, reader: IdentityReader) -> None:
    """Images and pull secrets that nobody has filled in yet; lint would only say that they are no names."""
    for index, item in enumerate(facts.pull_secrets):
        reader.text(item, ("spec", "imagePullSecrets", index, "name"))
    for index, template in facts.runners:
        for where, container in containers(template):
            reader.text(container.get("image"), ("spec", "templates", index, *where, "image"))
    if facts.serving:
        text = str(facts.spec["template"].get("spec"))
        for value in (embedded_image(text), embedded_secret(text)):
            reader.text(value, ("spec", "template", "spec"))


class _Template:
    def __init__(
        self,
        source: Foreign,
        document: dict[str, Any],
        identity: Identity,
        findings: Findings,
        account: Account,
    ) -> None:
        self.source = source
        self.document = document
        self.facts = Facts(document)
        self.identity = identity
        self.findings = findings
        self.account = account

    def kept(self, catalog: Mapping[str, Workflow]) -> Draft:
        """The template as it is: from the workflow that renders it, else from a folder of its own."""
        self._raise()
        self._lint(catalog)
        found = catalog.get(own_trainer(self.facts) or "")
        executable = rendered_from(self.identity, self.facts, found) if found else None
        if executable is not None and found is not None:
            self.account.carried("workflow", found.name)
            self._artifacts()
            for item in self.facts.parameters:
                self.account.carried(f"parameter {item['name']}", str(item.get("default") or '""'))
            return self._draft(executable)
        name = self._workflow_name(catalog)
        executable = {"workflow": name, **self._placed(), **self.identity.executable}
        description = str(self.identity.executable.get("description", ""))
        self._refuse_texts()
        own = own_workflow(name, self.document, description, self.findings, self.account)
        self._artifacts()
        self._rest()
        self.account.changed("workflow", "", f"catalog/{name}", self._hint(catalog))
        self._raise()
        return self._draft(executable, workflow=own)

    def moved(self, word: str, catalog: Mapping[str, Workflow]) -> Draft:
        """The template in the words of a workflow of the catalogue, which is another program."""
        workflow = catalog.get(word)
        if workflow is None:
            message = f"the catalogue has no workflow `{word}`; {did_you_mean(word, catalog)}"
            raise InputError([Diagnostic("--workflow", 1, 1, "unknown-workflow", message)])
        lacking = misfits(self.facts, workflow)
        if lacking:
            message = f"does not fit `{word}`, which has no such: {', '.join(lacking)}"
            self.findings.add((), "unfit-template", f"{message}; import it without --workflow")
        self._raise()
        parameters = self._chosen(workflow)
        self._raise()
        executable = {"workflow": word, **self._placed(), **self.identity.executable}
        self._raise()
        self._artifacts({**workflow.inputs, **workflow.outputs})
        self._program(workflow, parameters)
        inputs = {port: "pictures" if port == "datain" else port for port in workflow.inputs}
        configuration = {"executable": self.identity.id, "inputs": inputs, "parameters": parameters}
        wanted = bool(parameters) and workflow.kind != "serving"
        return self._draft(
            executable,
            datasets=_datasets(workflow, inputs, self.identity) if wanted else {},
            configurations={"imported": configuration} if wanted else {},
            # What differs by design is in the account, said once and not for every line.
            allowed={"spec": "", "metadata.annotations": "", "metadata.labels": ""},
        )

    def _draft(self, executable: Mapping[str, Any], **further: Any) -> Draft:
        metadata = {**self.facts.metadata, "name": self.identity.id}
        return Draft(
            source=self.source,
            id=self.identity.id,
            metadata=self.identity.scenario,
            executable=executable,
            template={**self.document, "metadata": metadata},
            expected=self.identity.expected,
            rows=tuple(self.account.rows),
            **further,
        )

    def _lint(self, catalog: Mapping[str, Workflow]) -> None:
        """What AI Core, or our own promise, refuses: better said here, where the lines are the old file's."""
        found = lint(self.document, self.source.path, self.source.positions, strict=True)
        faults = [item for item in errors(found) if item.code not in _OWN_CODES]
        fitting = self._fitting(catalog)
        if faults and fitting:
            message = f"mend it, or move to corespec's own trainer instead: --workflow {fitting}"
            hint = Diagnostic(self.source.path, 1, 1, "import-hint", message, "warning")
            self.findings.items.append(hint)
        self.findings.items += faults
        self._raise()

    def _refuse_texts(self) -> None:
        """Texts that no folder of one's own can hold."""
        if holds_reserved_words(self.document):
            self.findings.add((), "cannot-import", "the template holds `<% endraw`, which Jinja would take")
        inner = self.facts.spec["template"] if self.facts.serving else {}
        texts: dict[Path, object] = {("spec",): inner.get("spec")}
        texts |= {("metadata", key): text for key, text in (inner.get("metadata") or {}).items()}
        for where, text in texts.items():
            if isinstance(text, str) and parse_text(text) is None:
                message = "the text is no YAML before AI Core fills it; put each `{{…}}` into quotes"
                self.findings.add(("spec", "template", *where), "cannot-import", message)
        self._raise()

    def _raise(self) -> None:
        if self.findings.items:
            raise InputError(self.findings.items)

    def _placed(self) -> dict[str, Any]:
        """Image, pull secret and machine; what no spec can name stays in the template."""
        fields = placed(self.facts)
        self.account.carried("image", fields["image"])
        secret = fields.get("imagePullSecret")
        if secret:
            reader = IdentityReader(self.findings, self.account)
            reader.checked(secret, DockerSecretName, ("spec", "imagePullSecrets"))
            self.account.carried("imagePullSecret", secret)
        plan, instance = fields.get("resourcePlan"), fields.get("instanceType")
        machine = (PLAN, plan) if plan else (INSTANCE, instance) if instance else None
        if machine is None or not is_decidable(machine):
            kept = {
                key: value for key, value in fields.items() if key not in {"resourcePlan", "instanceType"}
            }
            reason = "the template itself chooses; the spec's word has no effect"
            self.account.changed("machine", "", DEFAULT_PLAN, reason)
            return {**kept, "resourcePlan": DEFAULT_PLAN}
        self.account.carried("machine", str(machine[1]))
        return fields

    def _artifacts(self, here: Mapping[str, Any] | None = None) -> None:
        """One row for each artifact, and for each that lies elsewhere in the workflow asked for."""
        for side, ports in (("input", self.facts.inputs), ("output", self.facts.outputs)):
            for name, port in ports.items():
                self._artifact(f"{side} {name}", port, getattr((here or {}).get(name), "path", port.path))

    def _artifact(self, subject: str, port: Port, path: str) -> None:
        there, now = f"{port.kind or 'model'} at {port.path}", f"{port.kind or 'model'} at {path}"
        if there == now:
            self.account.carried(subject, there)
        else:
            self.account.changed(subject, there, now, "where the trainer looks for it")

    def _rest(self) -> None:
        for key, value in self.identity.other_labels.items():
            self.account.carried(f"label {key}", value)
        for key, value in self.identity.other_annotations.items():
            if not key.startswith(ARTIFACTS):
                self.account.carried(f"annotation {key}", value)

    def _hint(self, catalog: Mapping[str, Workflow]) -> str:
        reason = "what it runs stays as it was, in a workflow folder of your own"
        fitting = self._fitting(catalog)
        return (
            f"{reason}; `--workflow {fitting}` moves it to corespec's trainer instead" if fitting else reason
        )

    def _fitting(self, catalog: Mapping[str, Workflow]) -> str | None:
        """The workflow whose names these are: the one that the template's name speaks of, or the only one."""
        if not self.facts.parameters or not (self.facts.inputs or self.facts.outputs):
            return None
        found = [name for name, workflow in catalog.items() if not misfits(self.facts, workflow)]
        guess = guess_workflow(self.identity.id, self.facts.image)
        if guess and guess[0] in found:
            return guess[0]
        return found[0] if len(found) == 1 else None

    def _workflow_name(self, catalog: Mapping[str, Workflow]) -> str:
        name = re.sub(r"-{2,}", "-", self.identity.id)
        return f"own-{name}"[:63].rstrip("-") if name in catalog else name

    def _chosen(self, workflow: Workflow) -> dict[str, str]:
        values = {str(item["name"]): item.get("default", item.get("value")) for item in self.facts.parameters}
        given = {name: value for name, value in values.items() if value is not None}
        try:
            return chosen(workflow, given)
        except UnfitValueError as error:
            self.findings.add(self.facts.parameters_at, error.code, str(error))
            return {}

    def _program(self, workflow: Workflow, parameters: Mapping[str, str]) -> None:
        """What the other program means for parameters, command and environment."""
        names = [str(item["name"]) for item in self.facts.parameters]
        for name in names:
            item = workflow.parameters[name]
            there, here = old_default(workflow.name, item), canonical(item, item.default)
            if name in parameters and workflow.kind == "serving":
                reason = (
                    "a value of a deployment: write it under `deployments` once there is a model to serve"
                )
                self.account.dropped(f"default of {name}", parameters[name], reason)
            elif name in parameters:
                reason = "the value is in the configuration `imported`"
                self.account.changed(f"default of {name}", parameters[name], here, reason)
            elif there != here:
                self.account.changed(f"default of {name}", there, here, "docs/catalog.md says why")
            else:
                self.account.carried(f"parameter {name}", here)
        added = len(workflow.parameters) - len(names)
        if added:
            reason = "their defaults change nothing; `corespec catalog show` explains them"
            self.account.changed("parameters", str(len(names)), f"{added} more", reason)
        reason = "another program: its image is built from rendered/ by `corespec image build`"
        self.account.changed("image content, command", "the old one", "python -m trainer", reason)
        reason = "they belong to the old program (Metaflow, its S3 data store); nothing here reads them"
        self.account.dropped("variables, steps and volumes", "", reason)
        for key, value in self.identity.other_labels.items():
            self.account.dropped(f"label {key}", value, "only `ext.ai.sap.com/…` labels are kept in specs")
        for key, value in self.identity.other_annotations.items():
            if not key.startswith(ARTIFACTS):
                self.account.dropped(f"annotation {key}", value, "it belongs to the old program")


def _datasets(workflow: Workflow, inputs: Mapping[str, str], identity: Identity) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for port, name in inputs.items():
        kind = workflow.inputs[port].kind
        entry = {"source": f"data/{name}", "path": f"{identity.scenario['name']}/{name}"}
        found[name] = entry if kind == "dataset" else {"kind": kind, **entry}
    return found
