"""The table of what gpt2giga's users rely on names tests that exist."""

import ast
import functools
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TABLE = tomllib.loads((TESTS / "gpt2giga_parity.toml").read_text(encoding="utf-8"))
ROWS = [
    pytest.param(row, proof, id=f"{part}: {row}")
    for part, rows in TABLE.items()
    for row, proof in rows.items()
]


@functools.cache
def names_in(file):
    """Names of the tests in ``file``; its folder stands before it where two are called so."""
    folder, _, name = file.rpartition("/")
    (path,) = (TESTS / folder).rglob(f"test_{name}.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    }


@pytest.mark.parametrize(("row", "proof"), ROWS)
def test_every_row_is_proven_or_says_where_it_belongs(row, proof):
    if isinstance(proof, str):
        sort, _, words = proof.partition(": ")
        assert sort in {"later", "not here"}
        assert words
        return
    assert proof, row
    for test in proof:
        file, _, name = test.partition("::")
        assert f"test_{name}" in names_in(file), test


def test_no_row_of_the_two_lists_is_left_out():
    def numbered(part):
        return [int(row) for row in TABLE[part] if row.isdecimal()]

    assert numbered("gaps") == list(range(1, 35))
    assert numbered("acceptance") == list(range(1, 11))
