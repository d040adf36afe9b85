"""Which names a definition uses, and when: read off its text with `symtable`.

The code object of a function knows as much, but a class statement leaves none behind, and what it
names must be there before it runs: bases, decorators, what its body evaluates. What is named within
functions is needed when they are called.

Annotations are taken out first, since they stay text in the worker. Some of what they name travels
all the same: what a dataclass looks for in the texts (`ClassVar`), and classes of the user's own in
the signature of a function, whose instances may be among the arguments.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from worker_entry.source import Snippet

_COMPREHENSIONS = ("listcomp", "setcomp", "dictcomp", "genexpr")


@dataclass(frozen=True)
class Names:
    """Names that are neither local nor attributes.

    Attributes:
        first: Needed while the definition runs.
        later: Needed when its functions run.
        hinted: Of annotations.
        dotted: The same, with the attributes that are asked of them: `package.module.name`.
        bases: The base classes that a class statement gives by plain names, in order; else "".
    """

    first: frozenset[str]
    later: frozenset[str]
    hinted: frozenset[str]
    dotted: frozenset[str] = frozenset()
    bases: tuple[str, ...] = ()


def used_names(snippet: Snippet) -> Names:
    """Return the names that a definition uses."""
    tree = _parse(snippet)
    stripper = _Annotations()
    bare = ast.fix_missing_locations(stripper.visit(tree))
    table = symtable.symtable(ast.unparse(bare), snippet.file, "exec")
    first: set[str] = set()
    later: set[str] = set()
    if snippet.kind == "function":
        _collect(table.get_children()[0], later, later)
    else:
        _collect(table, first, later)
    bases = tuple(getattr(base, "id", "") for base in _bases(bare))
    hinted, dotted = frozenset(stripper.names), frozenset(_dotted(bare))
    return Names(frozenset(first), frozenset(later), hinted, dotted, bases)


def _parse(snippet: Snippet) -> ast.Module:
    if snippet.kind == "lambda":
        return ast.parse(f"({snippet.text}\n)")
    if not snippet.text[:1].isspace():
        tree = ast.parse(snippet.text)
    else:
        tree = ast.parse(f"if 1:\n{snippet.text}")
        tree.body = tree.body[0].body  # type: ignore[attr-defined]
    for node in tree.body if snippet.kind == "function" else ():
        _drop_evaluated(node)
    return tree


def _drop_evaluated(node: Any) -> None:
    """Take out what was evaluated with the definition: decorators, and defaults, sent as values."""
    node.decorator_list = []
    node.args.defaults = [ast.Constant(None) for _ in node.args.defaults]
    node.args.kw_defaults = [each and ast.Constant(None) for each in node.args.kw_defaults]


def _bases(tree: Any) -> list[ast.expr]:
    return next((node.bases for node in tree.body if isinstance(node, ast.ClassDef)), [])


def _dotted(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if parts and isinstance(node, ast.Name):
            yield ".".join([node.id, *reversed(parts)])


def _collect(table: symtable.SymbolTable, now: set[str], later: set[str]) -> None:
    """Add the names that a block refers to outside of itself."""
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module"):
            now.add(symbol.get_name())
    for child in table.get_children():
        is_now = child.get_type() != "function" or child.get_name() in _COMPREHENSIONS
        _collect(child, now if is_now else later, later)


class _Annotations(ast.NodeTransformer):
    """Takes annotations out and notes the names in them."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_arg(self, node: ast.arg) -> ast.arg:
        self._note(node.annotation)
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._note(node.returns)
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self._note(node.returns)
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self._note(node.annotation)
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        return ast.Pass()  # what it refers to is not part of the text

    def _note(self, annotation: ast.expr | None) -> None:
        self.names.update(_named_in(annotation))


def _named_in(annotation: ast.AST | None) -> Iterator[str]:
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:  # an annotation that is written as a string
                yield from _named_in(ast.parse(node.value, mode="eval"))
            except (SyntaxError, ValueError):
                continue
