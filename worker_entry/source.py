"""Definitions as source text: compiled by the Python that runs them.

A code object means nothing to another minor version of Python. What travels instead is a `Snippet`,
the text of one definition with the place that it has in its file.

-   Lines are padded to their place, so that a traceback shows the file and line of the host; where
    there is no such file (a notebook's cell), `linecache` is given the text.
-   A function is compiled inside an outer one that has its free variables, and taken out of that,
    without its decorators: what they made of it is a value of its own.
-   Annotations are kept as text (PEP 563): `int | None` is an error in old versions.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import os
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

_FLAGS = __future__.annotations.compiler_flag


class Snippet(NamedTuple):
    """One definition as text.

    Attributes:
        kind: "function", "class", "lambda", or "assignment" of what a call made.
        name: What is defined; empty for a lambda.
        qualname: The full name.
        file: What tracebacks shall say.
        line: The number of its first line in the file.
        text: Whole lines, indented as there; of a lambda, the expression.
    """

    kind: str
    name: str
    qualname: str
    file: str
    line: int
    text: str


_KINDS: dict[str, Any] = {
    "function": (ast.FunctionDef, ast.AsyncFunctionDef),
    "class": (ast.ClassDef,),
    "lambda": (ast.Lambda,),
    "assignment": (ast.Assign,),
}


def compile_function(snippet: Snippet, free: Any, flags: int = _FLAGS) -> CodeType:
    """Return the code of a function whose free variables are named ``free``.

    Raises:
        SyntaxError: This version of Python can't read it.
    """
    node = _find(snippet, flags)
    if isinstance(node, ast.Lambda):
        node = ast.copy_location(ast.Expr(node), node)
    else:
        node.decorator_list = []
    # A module's function that calls itself means the global, not what is around it here.
    is_global = snippet.name and snippet.name not in free
    outer = _outer(free, f"    global {snippet.name}\n    pass" if is_global else "    pass")
    code = _compile_in(outer, node, snippet.file, flags)
    return _code_named(code, snippet.name or "<lambda>")


def _compile_in(outer: ast.Module, node: ast.stmt, file: str, flags: int) -> CodeType:
    function: Any = outer.body[0]
    while isinstance(function.body[-1], ast.FunctionDef):
        function = function.body[-1]
    function.body.insert(len(function.body) - 1, node)
    code: CodeType = compile(outer, file, "exec", flags, dont_inherit=True)
    return code


def _outer(free: Any, inner: str) -> ast.Module:
    names = "".join(f"    {name} = None\n" for name in free)
    return ast.parse(f"def outer():\n{names}{inner}\n")


def _find(snippet: Snippet, flags: int) -> Any:
    for node in ast.walk(_parse(snippet, flags)):
        if isinstance(node, _KINDS[snippet.kind]) and _name(node) in (snippet.name, None):
            return node
    raise SyntaxError(f"there is no {snippet.kind} {snippet.name} in its own text")


def _parse(snippet: Snippet, flags: int) -> ast.AST:
    mode, text, before = "exec", snippet.text, snippet.line - 1
    if snippet.kind == "lambda":
        mode, text = "eval", f"({text}\n)"
    elif text[:1].isspace():
        # Dedenting would change the strings that span lines.
        text, before = f"if 1:\n{text}", max(before - 1, 0)
    text = "\n" * before + text
    tree: ast.AST = compile(text, snippet.file, mode, flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    return tree


def _name(node: Any) -> str | None:
    if isinstance(node, ast.Assign):
        return getattr(node.targets[0], "id", "")
    return getattr(node, "name", None)


def _code_named(code: CodeType, name: str) -> CodeType:
    """Find a function's code in what is around it: type parameters are one more layer."""
    layer = [code]
    while layer:
        layer = [each for code in layer for each in code.co_consts if isinstance(each, CodeType)]
        for found in layer:
            if found.co_name == name:
                return found
    raise SyntaxError(f"{name} has no code")


def define_class(snippet: Snippet, space: ModuleType, cells: dict[str, Any]) -> Any:
    """Run the statement that defines a class among the globals of ``space``; return the class.

    Raises:
        SyntaxError: This version of Python can't read it.
        Exception: Whatever the statement raises.
    """
    node = _find(snippet, _FLAGS)
    if "." in snippet.qualname:
        return _local_class(snippet, node, space, cells)
    tree = ast.parse("")
    tree.body = [node]
    exec(compile(tree, snippet.file, "exec", _FLAGS, dont_inherit=True), vars(space))
    return vars(space)[snippet.name]


def _local_class(snippet: Snippet, node: Any, space: ModuleType, cells: dict[str, Any]) -> Any:
    outer = _outer(cells, f"    def make():\n        return {snippet.name}")
    code = _code_named(_compile_in(outer, node, snippet.file, _FLAGS), "make")
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, vars(space), "make", None, closure)()
    for value in vars(made).values():
        if isinstance(value, FunctionType):
            value.__qualname__ = f"{snippet.qualname}.{value.__name__}"
    made.__qualname__ = snippet.qualname
    return made


def show_text(snippet: Snippet) -> None:
    """Let tracebacks quote a file that does not exist."""
    if os.path.isfile(snippet.file):
        return
    entry: Any = linecache.cache.get(snippet.file)
    lines = list(entry[2]) if entry and len(entry) > 2 else []
    text = snippet.text.splitlines(keepends=True)
    lines += ["\n"] * (snippet.line - 1 + len(text) - len(lines))
    lines[snippet.line - 1 : snippet.line - 1 + len(text)] = text
    # Without a time of change, `linecache` does not look for the file.
    linecache.cache[snippet.file] = (len(lines), None, lines, snippet.file)
