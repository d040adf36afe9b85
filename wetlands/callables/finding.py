"""Finding the source text of a function or class.

`inspect.getsource` is not enough: it returns lines of what surrounds a lambda, follows decorators
to another function, trusts a file that may have been edited since it was imported, and misses
classes of a notebook. Here the text is found by the position of the code object, and compiled
again: what is not the same function is refused.
"""

from __future__ import annotations
import __future__

import ast
import functools
import linecache
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from worker_entry.source import Snippet, compile_function

_FUTURE = functools.reduce(
    lambda flags, name: flags | getattr(__future__, name).compiler_flag,
    __future__.all_feature_names,
    0,
)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class SourceError(Exception):
    """A definition can't travel as source; the text says why, and what to do."""


def find_function(function: FunctionType) -> Snippet:
    """Return the text of a function.

    Raises:
        SourceError: There is none, or it is not what the function was made from.
    """
    code = function.__code__
    place = f"{code.co_filename}, line {code.co_firstlineno}"
    tree, lines = _parse(code.co_filename, function.__globals__)
    if tree is None:
        raise SourceError(
            f"the source of {function.__qualname__} ({place}) can't be found: put it into a file"
        )
    kind = _lambdas if code.co_name == "<lambda>" else _functions
    found = [make_snippet(node, lines, function) for node in kind(tree, code)]
    fitting = {each.text: each for each in found if _fits(each, code)}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    if fitting:
        raise SourceError(
            f"there are several functions that could be {function.__qualname__} ({place}): "
            "write a def in place of the lambda"
        )
    raise SourceError(
        f"the source of {function.__qualname__} ({place}) is not what it was made from: the file "
        "was changed since, or the function was made by a tool; start the program again, or put "
        "the function into a file of its own"
    )


def find_class(cls: type) -> Snippet:
    """Return the text of a class: its statement, or the assignment of the call that made it.

    Raises:
        SourceError: There is none.
    """
    for file in _files_of(cls):
        tree, lines = _parse(file, vars(sys.modules.get(cls.__module__, object)))
        found = [node for node in _named(tree, cls.__qualname__) if _defines(node, cls)]
        if found:
            return make_snippet(_best(found, cls), lines, cls, file)
    raise SourceError(
        f"the source of class {cls.__qualname__} (module {cls.__module__}) can't be found: define "
        "it with a class statement in a file"
    )


def make_snippet(node: Any, lines: list[str], thing: Any, file: str = "") -> Snippet:
    """Cut the text of a definition out of the lines of its file."""
    file = file or thing.__code__.co_filename
    if isinstance(node, ast.Lambda):
        text = ast.get_source_segment("".join(lines), node) or ""
        return Snippet("lambda", "", thing.__qualname__, file, node.lineno, text)
    kind = {ast.ClassDef: "class", ast.Assign: "assignment"}.get(type(node), "function")
    name = getattr(node, "name", thing.__qualname__.rpartition(".")[2])
    first = _first_line(node) if kind == "class" else node.lineno
    text = "".join(lines[first - 1 : node.end_lineno])
    return Snippet(kind, name, thing.__qualname__, file, first, text)


# -- files ----------------------------------------------------------------------------------------


def _parse(file: str, module_globals: Any) -> tuple[ast.Module | None, list[str]]:
    lines = linecache.getlines(file, module_globals)
    return (_tree("".join(lines)) if lines else None), lines


@functools.lru_cache(maxsize=32)
def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def _files_of(cls: type) -> Iterator[str]:
    for value in vars(cls).values():
        if isinstance(value, FunctionType):
            yield value.__code__.co_filename
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file:
        yield file
    else:  # the cells of a notebook, which linecache keeps under names of their own; newest first
        yield from [name for name, entry in linecache.cache.items() if len(entry) > 1][::-1]


# -- functions ------------------------------------------------------------------------------------


def _functions(tree: ast.Module, code: CodeType) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.name == code.co_name
            and code.co_firstlineno in (node.lineno, _first_line(node))
        ):
            yield node


def _lambdas(tree: ast.Module, code: CodeType) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            yield node


def _first_line(node: Any) -> int:
    first: int = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return first


def _fits(snippet: Snippet, code: CodeType) -> bool:
    """Whether the text, compiled again, is the code that there is."""
    try:
        again = compile_function(snippet, code.co_freevars, code.co_flags & _FUTURE)
    except SyntaxError:
        return False
    if snippet.kind == "lambda":
        return again.co_code == code.co_code and _uses(again) == _uses(code)
    names, consts = _uses(again)
    names_here, consts_here = _uses(code)
    rewritten = any(name.startswith("@") for name in names_here)  # pytest does so with asserts
    return names <= names_here and (rewritten or consts <= consts_here)


def _uses(code: CodeType) -> tuple[set[str], set[str]]:
    """Return names and constants of a code object and of those in it."""
    names = {*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_cellvars}
    consts = set()
    for const in code.co_consts:
        if isinstance(const, CodeType):
            inner_names, inner_consts = _uses(const)
            names |= inner_names
            consts |= inner_consts
        elif not _is_qualname(const, code):
            consts.add(repr(const))
    return names, consts


def _is_qualname(const: Any, code: CodeType) -> bool:
    # Until 3.10 the full names of inner functions are constants, and ours differ by "outer".
    return isinstance(const, str) and "<locals>" in const


# -- classes --------------------------------------------------------------------------------------


def _named(tree: Any, qualname: str) -> Iterator[ast.AST]:
    """Give what defines a full name, whatever statements are around it."""
    first, _, rest = qualname.replace(".<locals>", "").partition(".")
    for node in _statements(tree):
        if isinstance(node, _DEFINITIONS) and node.name == first:
            if rest:
                yield from _named(node, rest)
            elif isinstance(node, ast.ClassDef):
                yield node
        elif isinstance(node, ast.Assign) and not rest and isinstance(node.value, ast.Call):
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id == first:
                yield node


def _statements(node: Any) -> Iterator[ast.AST]:
    if node is None:
        return
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _DEFINITIONS):
            yield from _statements(child)


def _defines(node: Any, cls: type) -> bool:
    """Whether the functions that the statement defines are those of the class."""
    methods = {each.name for each in getattr(node, "body", ()) if isinstance(each, ast.FunctionDef)}
    return {_mangled(name, cls) for name in methods} <= {*vars(cls), "__init_subclass__"}


def _mangled(name: str, cls: type) -> str:
    private = name.startswith("__") and not name.endswith("__")
    return f"_{cls.__name__.lstrip('_')}{name}" if private else name


def _best(nodes: list[Any], cls: type) -> Any:
    """Choose among definitions of one name: that with the methods, else the last one."""
    lines = [each.__code__.co_firstlineno for each in vars(cls).values() if _is_function(each)]
    lines += [vars(cls)["__firstlineno__"]] if "__firstlineno__" in vars(cls) else []
    for node in nodes:
        if any(_first_line(node) <= line <= node.end_lineno for line in lines if _is_class(node)):
            return node
    return nodes[-1]


def _is_class(node: Any) -> bool:
    return isinstance(node, ast.ClassDef)


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType)
