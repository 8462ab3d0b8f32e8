"""What every source file must hold to: errors that fire and are filled in, no assert for users."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lrcn"
FILES = sorted(SOURCE.rglob("*.py"))


def _nodes(kind):
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield path.relative_to(SOURCE), node


def test_enough_files_are_looked_at():
    assert len(FILES) > 60


def test_no_error_is_returned_instead_of_raised():
    """Functions that make an error for their caller to raise say so in their annotation."""
    returned = []
    for path, function in _nodes((ast.FunctionDef, ast.AsyncFunctionDef)):
        makes_error = function.returns is not None and "Error" in ast.unparse(function.returns)
        for node in ast.walk(function):
            made = node.value if isinstance(node, ast.Return) else None
            is_error = (
                isinstance(made, ast.Call)
                and isinstance(made.func, ast.Name)
                and re.fullmatch(r"\w*(Error|Exception)", made.func.id)
            )
            if is_error and not makes_error:
                returned.append(f"{path}:{node.lineno}")

    assert returned == []


def test_no_message_prints_its_placeholders():
    """A plain string with {name} inside a raise was meant to be an f-string."""
    unfilled = []
    for path, node in _nodes(ast.Raise):
        inside = {
            id(part) for j in ast.walk(node) if isinstance(j, ast.JoinedStr) for part in j.values
        }
        for text in ast.walk(node):
            plain = isinstance(text, ast.Constant) and isinstance(text.value, str)
            if plain and id(text) not in inside and re.search(r"\{[a-z_.]+\}", text.value):
                unfilled.append(f"{path}:{text.lineno}")

    assert unfilled == []


def test_many_raises_and_few_asserts():
    raises = sum(1 for _ in _nodes(ast.Raise))
    asserts = sum(1 for _ in _nodes(ast.Assert))

    assert raises > 10 * asserts


def test_files_stay_within_the_soft_limit():
    long = {
        str(path.relative_to(SOURCE)): lines
        for path in FILES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }

    assert long == {}


def test_third_parties_have_one_seam_each():
    """Each of these is imported in one room only (house.md)."""
    seams = {
        "timm": {"nn/backbones/timm.py"},
        "av": {"video/"},
        "tensorboard": {"train/log.py"},
        "matplotlib": {"report/", "data/inspect.py"},
        "cyclopts": {"cli/"},
    }
    found = {name: set() for name in seams}
    for path, node in _nodes((ast.Import, ast.ImportFrom)):
        names = (
            [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        )
        for name in names:
            top = name.split(".")[0]
            if top in found:
                found[top].add(str(path))

    for name, places in seams.items():
        outside = {f for f in found[name] if not any(f.startswith(p) for p in places)}
        assert outside == set(), name
