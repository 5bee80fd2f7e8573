"""Mutation testing of the alarm core: change one thing in `alerting/`, and see whether a test notices.

Run: .venv/bin/python scripts/mutate.py [--sample 200] [--seed 1] [--files delays.py ...]

Works on a copy of the checkout, one process of pytest per mutant; results go to a file as they come, and what is in it
is not run again. A mutant is *killed* when a test fails or takes too long; *survived* ones are listed at the end
with their place: either a test is missing, or the change makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("alerting", "config", "tests", "hazgate", "gateway", "edge", "simulators", "pyproject.toml")
SLOWEST = 4.0
"""A mutant may take so many times as long as the tests take without one."""

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
SWAPPED = {"maximum": "minimum", "minimum": "maximum", "fmin": "fmax", "any": "all", "all": "any", "max": "min"}
SWAPPED |= {"cumsum": "cumprod", "logical_or": "logical_and", "zeros": "ones", "ones": "zeros", "min": "max"}


EXAMPLES = 30
PROFILE = """
from hypothesis import Phase, settings

settings.register_profile(
    "mutants", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("mutants")
"""


class Mutant(NamedTuple):
    """One change."""

    file: str
    line: int
    columns: str
    what: str
    source: str
    """The whole module, changed."""

    @property
    def key(self) -> str:
        """Return what names it in the results."""
        return f"{self.file}:{self.line}:{self.columns}: {self.what}"


def variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:  # noqa: C901 - a table in the form of a function
    """Generate what a node could be instead, each with what changed."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            changed = copy.deepcopy(node)
            changed.ops = [other()]
            yield f"{type(node.ops[0]).__name__} -> {other.__name__}", changed
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        changed_op = copy.deepcopy(node)
        changed_op.op = OPERATORS[type(node.op)]()
        yield f"{type(node.op).__name__} -> {type(changed_op.op).__name__}", changed_op
    elif isinstance(node, ast.BoolOp):
        changed_bool = copy.deepcopy(node)
        changed_bool.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield "and <-> or", changed_bool
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
        yield f"without {type(node.op).__name__}", node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        for value in (node.value + 1, node.value - 1):
            yield f"{node.value} -> {value}", ast.Constant(value)
    elif isinstance(node, ast.Attribute) and node.attr in SWAPPED:
        changed_name = copy.deepcopy(node)
        changed_name.attr = SWAPPED[node.attr]
        yield f"{node.attr} -> {changed_name.attr}", changed_name
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr)) and not _is_docstring(node) and _can_go(node):
        yield f"removed: {ast.unparse(node)[:60]}", ast.Pass()


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _can_go(node: ast.AST) -> bool:
    """Say whether removing a statement leaves a program that could run: plain names would be missing at once."""
    if isinstance(node, ast.Assign):
        return all(not isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets)
    return True


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Generate every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(part) for node in ast.walk(tree) for part in _not_run(node)}
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            places = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for index, node in places:
                if not isinstance(node, ast.AST) or id(node) in skipped:
                    continue
                for what, changed in variants(node):
                    _put(parent, field, index, changed)
                    at = _placed(node) or _placed(parent)
                    yield Mutant(
                        path.name,
                        at.lineno if at else 0,
                        f"{at.col_offset + 1}-{at.end_col_offset}" if at else "",
                        what,
                        ast.unparse(ast.fix_missing_locations(tree)),
                    )
                    _put(parent, field, index, node)


def _placed(node: ast.AST) -> ast.expr | ast.stmt | None:
    """Return a node if it knows where it stands."""
    return node if isinstance(node, (ast.expr, ast.stmt)) else None


def _not_run(node: ast.AST) -> Iterator[ast.AST]:
    """Generate the parts of a node that decide nothing: annotations, imports, messages, how classes are made."""
    parts: list[ast.AST | None] = []
    if isinstance(node, ast.AnnAssign):
        parts = [node.annotation]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = [node.returns, *(argument.annotation for argument in node.args.args)]
    elif isinstance(node, ast.ClassDef):
        parts = list(node.decorator_list)
    elif isinstance(node, (ast.JoinedStr, ast.Import, ast.ImportFrom)):
        parts = [node]
    for part in parts:
        if part is not None:
            yield from ast.walk(part)


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


class Checkout:
    """A copy of the checkout in which modules are changed, one at a time."""

    def __init__(self, tests: list[str]) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="mutants-"))
        self.tests = tests
        for name in COPIED:
            source, target = ROOT / name, self.place / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        self._take_fewer_examples(self.place / "tests/alerting")

    @staticmethod
    def _take_fewer_examples(tests: Path) -> None:
        """Let Hypothesis try few examples, always the same, and keep none: mutants must not profit from each other."""
        (tests / "conftest.py").write_text(PROFILE, encoding="utf-8")
        for path in tests.glob("test_*.py"):
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(r"max_examples=\d+", f"max_examples={EXAMPLES}", text), encoding="utf-8")

    def passes(self, limit_s: float | None) -> bool:
        """Say whether the tests pass in time."""
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *self.tests]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.place)}
        try:
            done = subprocess.run(  # noqa: S603 - ours
                words, cwd=self.place, env=environment, capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def survives(self, mutant: Mutant, limit_s: float) -> bool:
        """Say whether the tests pass with this change."""
        path = self.place / "alerting" / mutant.file
        kept = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.source, encoding="utf-8")
            return self.passes(limit_s)
        finally:
            path.write_text(kept, encoding="utf-8")


def main() -> int:
    """Run the mutants that are not in the results yet, and list the survivors; 1 when there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random; all by default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", nargs="*", help="modules of alerting/ by name; all by default")
    parser.add_argument("--out", type=Path, default=ROOT / ".mutants.jsonl")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--tests", nargs="*", default=["tests/alerting"])
    asked = parser.parse_args()

    paths = sorted((ROOT / "alerting").glob("*.py"))
    found = [one for path in paths if not asked.files or path.name in asked.files for one in mutants_of(path)]
    if asked.sample and asked.sample < len(found):
        found = random.Random(asked.seed).sample(found, asked.sample)  # noqa: S311 - no secret
    results = {}
    if asked.out.exists():
        results = {one["mutant"]: one["survived"] for one in map(json.loads, asked.out.read_text().splitlines())}
    checkouts = [Checkout(asked.tests) for _ in range(asked.jobs)]
    begin = os.times().elapsed
    if not checkouts[0].passes(None):
        print("the tests fail without any mutant", file=sys.stderr)
        return 2
    limit_s = SLOWEST * (os.times().elapsed - begin) + 5
    left = [one for one in found if one.key not in results]
    print(f"{len(found)} mutants, {len(left)} to run, at most {limit_s:.0f} s each", file=sys.stderr)

    def share(number: int) -> None:
        for mutant in left[number :: asked.jobs]:
            results[mutant.key] = checkouts[number].survives(mutant, limit_s)
            with asked.out.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"mutant": mutant.key, "survived": results[mutant.key]}) + "\n")

    try:
        with ThreadPoolExecutor(asked.jobs) as pool:
            list(pool.map(share, range(asked.jobs)))
    finally:
        for checkout in checkouts:
            shutil.rmtree(checkout.place)
    survivors = sorted(one.key for one in found if results[one.key])
    print(f"{len(found) - len(survivors)} killed, {len(survivors)} survived")
    for key in survivors:
        print(f"  alerting/{key}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
