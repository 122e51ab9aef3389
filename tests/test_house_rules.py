"""The house rules that no linter knows: short files, short functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILE_LINES = 250
BODY_LINES = 40  # without signature and docstring: a plugin's parameters are a list, not code
SOURCES = sorted(path for name in ("fraudlab", "serve") for path in (ROOT / name).rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def body_lines(function: Function) -> int:
    body = function.body[ast.get_docstring(function) is not None :]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= FILE_LINES
    lengths = {each.name: body_lines(each) for each in functions(ast.parse(text))}
    assert {name: lines for name, lines in lengths.items() if lines > BODY_LINES} == {}


def test_signature_and_docstring_do_not_count_as_body() -> None:
    lines = ["def f(", *(f"    a{n}=0," for n in range(50)), "):", '    """', *[""] * 50, '    """']
    (alone,) = functions(ast.parse("\n".join(lines)))
    assert body_lines(alone) == 0
    (short,) = functions(ast.parse("\n".join([*lines, *["    x = 1"] * BODY_LINES])))
    assert body_lines(short) == BODY_LINES
    (long, _) = functions(
        ast.parse("\n".join(["def f():", "    def g():", *["        x = 1"] * 41]))
    )
    assert body_lines(long) == 42
