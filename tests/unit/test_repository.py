"""The house rules that no linter checks: sizes, words, and documents that keep up with the code."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from dragoman.errors import GatewayError
from dragoman.settings_sources import load

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
READMES = [ROOT / "README.md", ROOT / "README.ru.md", ROOT / "README.zh.md"]

LONGEST_FILE = 400
LONGEST_FUNCTION = 40
MOST_PARAMETERS = 6
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name(path):
    return str(path.relative_to(ROOT))


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def is_command(function):
    """A command's parameters are its flags; they are the interface, not an accident."""
    return any("command" in ast.unparse(decorator) for decorator in function.decorator_list)


def length(function):
    """Lines from ``def`` to the end, the docstring and the signature of a command apart."""
    first = function.body[0]
    if is_command(function):
        return function.end_lineno - first.lineno + 1
    has_docstring = ast.get_docstring(function) is not None
    docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_and_functions_stay_small(path):
    too_big = []
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > LONGEST_FILE:
        too_big.append(f"{lines} lines")
    for function in functions(path):
        arguments = function.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        count = len([one for one in names if one not in {"self", "cls"}])
        if length(function) > LONGEST_FUNCTION:
            too_big.append(f"{function.name} in line {function.lineno}: {length(function)} lines")
        if count > MOST_PARAMETERS and not is_command(function):
            too_big.append(f"{function.name} in line {function.lineno}: {count} parameters")
    assert too_big == []


def test_no_module_has_a_vague_name():
    assert [name(path) for path in SOURCES if path.stem in VAGUE_NAMES] == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_every_module_begins_with_a_map(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_every_link_between_documents_leads_somewhere(path):
    dead = []
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            dead.append(target)
    assert dead == []


def anchors(document):
    """The anchors that GitHub makes of a document's headings."""
    headings = HEADING.findall(document.read_text(encoding="utf-8"))
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in kept}


def code_blocks(document):
    return FENCE.findall(document.read_text(encoding="utf-8"))


SAMPLES = [
    pytest.param(text, id=f"{name(path)}-{number}")
    for path in DOCUMENTS
    for number, (language, text) in enumerate(code_blocks(path), start=1)
    if language == "toml"
]


@pytest.mark.parametrize("text", SAMPLES)
def test_every_settings_sample_in_the_documents_is_valid(text, tmp_path):
    (tmp_path / "dragoman.toml").write_text(text, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"env:(\w+)", text), "secret")
    load({}, environ=environ, cwd=tmp_path)


def test_the_three_readmes_show_the_same_code():
    first, *others = [
        [block for language, block in code_blocks(path) if language in {"sh", "python", "toml"}]
        for path in READMES
    ]
    assert first
    for other in others:
        assert other == first


def test_the_three_readmes_have_the_same_sections():
    counts = {path.name: len(HEADING.findall(path.read_text(encoding="utf-8"))) for path in READMES}
    assert len(set(counts.values())) == 1, counts


def test_the_floors_in_the_document_are_those_that_are_checked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    checked = [set(re.split(r" [|:] ", layer)) for layer in layers]
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.partition("## Floors")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", table, flags=re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", cell)) for cell in cells] == checked


def test_every_decision_has_its_number_and_its_parts():
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    numbers = [
        int(path.name[:4]) for path in records
    ]  # not all are used: several are given at once
    assert len(set(numbers)) == len(numbers)
    listed = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in records if f"]({path.name})" not in listed] == []
    for path in records:
        text = path.read_text(encoding="utf-8")
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in text, path.name


def test_every_runtime_dependency_says_what_it_saves():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    record = (ROOT / "docs/decisions/0010-dependencies.md").read_text(encoding="utf-8")
    for requirement in project["dependencies"]:
        package = re.split(r"[^A-Za-z0-9_.-]", requirement)[0]
        assert f"| `{package}` |" in record, package


def every_error(kind=GatewayError):
    return {kind, *(deeper for one in kind.__subclasses__() for deeper in every_error(one))}


def test_every_status_of_an_error_is_explained():
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    explained = {int(status) for status in re.findall(r"^\| (\d{3}) \|", text, flags=re.MULTILINE)}
    assert {error.status for error in every_error()} <= explained


def test_no_file_names_a_registry():
    hosts = re.compile(r"pypi\.org|registry\.npmjs|files\.pythonhosted")
    written = [
        *DOCUMENTS,
        *SOURCES,
        ROOT / "Makefile",
        ROOT / ".ci" / "run",
        ROOT / "Dockerfile",
        *sorted((ROOT / "deploy").iterdir()),
        ROOT / "pyproject.toml",
    ]
    assert [name(path) for path in written if hosts.search(path.read_text(encoding="utf-8"))] == []
