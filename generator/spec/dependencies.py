"""Which execution waits for which: `dependsOn`, and inputs that are outputs of another one (`from:`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from generator.catalog import Workflow
from generator.graph import find_cycle
from generator.spec.document import Configuration, OutputOf, Scenario
from generator.spec.expand import Child
from generator.spec.findings import Findings
from generator.spec.reader import Path
from generator.suggest import did_you_mean

Members = Mapping[str, Sequence[Child]]


def execution_children(scenario: Scenario, members: Members, name: str) -> list[tuple[str, str]]:
    """Resolved executions of an entry of `executions`: (name, address of its configuration).

    An execution of a family has one for each child, named after the entry and the child's own part.
    """
    wanted = scenario.executions[name].configuration
    parent = wanted.split(".")[0]
    every = [child.address for child in members.get(parent, ())]
    addresses = every if wanted == parent else [wanted]
    return [(name + address.removeprefix(wanted), address) for address in addresses]


def split_output(reference: str) -> tuple[str, str]:
    """`train.trainedmodel` as execution and output artifact."""
    execution, _, output = reference.rpartition(".")
    return execution, output


def depended_on(scenario: Scenario, members: Members, name: str) -> tuple[str, ...]:
    """Resolved executions that must have completed before those of the entry `name`, sorted."""
    spec = scenario.executions[name]
    found = {
        child
        for entry in spec.depends_on
        if entry in scenario.executions
        for child, _ in execution_children(scenario, members, entry)
    }
    configuration = scenario.configurations.get(spec.configuration.split(".")[0])
    return tuple(sorted(found | set(_sources(configuration))))


def _sources(configuration: Configuration | None) -> Iterable[str]:
    bound = configuration.inputs.values() if configuration else ()
    return [split_output(item.from_)[0] for item in bound if isinstance(item, OutputOf)]


def check_dependencies(
    scenario: Scenario, members: Members, catalog: Mapping[str, Workflow] | None, findings: Findings
) -> None:
    """Note dependencies on nothing, outputs that do not exist or do not fit, and cycles."""
    for name, spec in scenario.executions.items():
        for index, entry in enumerate(spec.depends_on):
            if entry not in scenario.executions:
                message = f"the scenario has no execution `{entry}`; "
                place: Path = ("executions", name, "dependsOn", index)
                findings.add(place, "unknown-execution", message + did_you_mean(entry, scenario.executions))
    known = {
        child: address
        for entry in scenario.executions
        for child, address in execution_children(scenario, members, entry)
    }
    for name, configuration in scenario.configurations.items():
        for port, item in configuration.inputs.items():
            if isinstance(item, OutputOf):
                _check_output(scenario, members, catalog, known, (name, port), item, findings)
    _check_cycles(scenario, members, findings)


def _check_output(
    scenario: Scenario,
    members: Members,
    catalog: Mapping[str, Workflow] | None,
    known: Mapping[str, str],
    place: tuple[str, str],
    item: OutputOf,
    findings: Findings,
) -> None:
    """`known`: resolved execution -> its configuration; `place`: configuration and port."""
    name, port = place
    where: Path = ("configurations", name, "inputs", port, "from")
    execution, output = split_output(item.from_)
    if execution not in known:
        if _is_family(scenario, members, execution):
            children = sorted(child for child in known if child.startswith(f"{execution}."))
            message = f"`{execution}` runs a family; name one child: {', '.join(children[:3])}"
            findings.add(where, "unknown-execution", message)
        elif execution not in scenario.executions:
            message = f"the scenario has no execution `{execution}`; {did_you_mean(execution, known)}"
            findings.add(where, "unknown-execution", message)
        return
    producer = _workflow(scenario, catalog, known[execution].split(".")[0])
    consumer = _workflow(scenario, catalog, name)
    if producer is None:
        return
    if output not in producer.outputs:
        message = f"`{producer.name}` has no output `{output}`; {did_you_mean(output, producer.outputs)}"
        findings.add(where, "unknown-output", message)
        return
    made = producer.outputs[output].kind
    wanted = consumer.inputs[port].kind if consumer and port in consumer.inputs else made
    if made != wanted:
        message = f"the workflow reads a {wanted} here, and `{item.from_}` is a {made}"
        findings.add(where, "artifact-kind", message)


def _is_family(scenario: Scenario, members: Members, execution: str) -> bool:
    spec = scenario.executions.get(execution)
    return spec is not None and len(members.get(spec.configuration, ())) > 1


def _workflow(
    scenario: Scenario, catalog: Mapping[str, Workflow] | None, configuration: str
) -> Workflow | None:
    spec = scenario.configurations.get(configuration)
    executable = scenario.executables.get(spec.executable) if spec else None
    return catalog.get(executable.workflow) if executable and catalog is not None else None


def _check_cycles(scenario: Scenario, members: Members, findings: Findings) -> None:
    """One finding for each cycle's first execution, naming everything along it."""
    entries: dict[str, list[str]] = {}  # by resolved execution
    for name in scenario.executions:
        for child, _ in execution_children(scenario, members, name):
            entries.setdefault(child, []).append(name)
    edges = {
        name: sorted({e for child in depended_on(scenario, members, name) for e in entries.get(child, ())})
        for name in scenario.executions
    }
    cycle = find_cycle(edges)
    if cycle:
        findings.add(
            ("executions", cycle[0]),
            "cycle",
            f"executions wait for each other: {' -> '.join(cycle)}",
            key=True,
        )
