"""docs/lint.md and the rules agree: every code is explained, and every example does what the page says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from generator.lint import lint_files
from generator.linting.codes import CODES, Level
from tests.generator import lint_mutations, test_lint_serving
from tests.generator.lint_examples import TENANT, WHOLE_FILES, Section, sections

SECTIONS = list(sections())
WORDS = {
    Level.ERROR: "error",
    Level.PROMISE: "warning; error in rendered templates",
    Level.ADVICE: "warning",
}
_GENERATOR = Path(__file__).parents[2] / "generator"


@pytest.mark.parametrize("section", SECTIONS, ids=[section.code for section in SECTIONS])
def test_a_bad_example_is_caught_by_its_own_code_and_the_good_one_is_good(section: Section) -> None:
    """Alone: no other code, and nothing at all about the good one (whole files are no templates)."""
    assert {item.code for item in lint_files(section.files("Bad"))} == {section.code} | (
        {"template-kind"} if section.code == "duplicate-key" else set()
    )
    good = {item.code for item in lint_files(section.files("Good"))}
    assert section.code not in good if section.group == WHOLE_FILES else not good


def test_the_page_explains_every_code_once_with_its_severity_and_source() -> None:
    assert sorted(section.code for section in SECTIONS) == sorted(CODES)
    for section in SECTIONS:
        assert f"Severity: {WORDS[CODES[section.code]]}." in section.text
        assert re.search(r"^Source: \S.*\.$", section.text, flags=re.MULTILINE)


def test_a_rule_of_our_own_is_a_warning() -> None:
    """What nobody but corespec says refuses nobody's file; reading a file safely is the exception."""
    ours = {section.code for section in SECTIONS if "\nSource: corespec." in section.text}
    assert {code for code in ours if CODES[code] is Level.ERROR} == {"unreadable"}


def test_the_rules_raise_the_codes_that_are_listed_and_no_other() -> None:
    raised = {
        argument.value
        for source in (_GENERATOR / "lint.py", *(_GENERATOR / "linting").glob("*.py"))
        if source.name != "codes.py"
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        for argument in ast.walk(node)
        if isinstance(argument, ast.Constant) and argument.value in CODES
    }
    assert raised == set(CODES)


def test_every_code_has_a_mutation_or_a_file_of_its_own() -> None:
    """Codes of files and of the tenant are tested in test_lint_files.py, a thousand parameters beside."""
    mutated = {code for _, code, _ in (*lint_mutations.MUTATIONS, *test_lint_serving.MUTATIONS)}
    elsewhere = {section.code for section in SECTIONS if section.group in {WHOLE_FILES, TENANT}}
    assert set(CODES) - mutated - elsewhere == {"parameter-count"}
