"""A callable as the bytes of a bundle, or one error that says why not."""

from __future__ import annotations

import ast
import io
from collections.abc import Sequence
from types import FunctionType, ModuleType
from typing import Any

from wetlands.callables.bundle import Bundler
from wetlands.callables.finding import SourceError
from worker_entry.codec import type_name
from worker_entry.source import Snippet


def dump_callable(
    function: Any, protocol: int, folder: str | None, version: Sequence[int]
) -> bytes:
    """Return a bundle for a worker of another Python.

    Args:
        function: The callable.
        protocol: Of pickle.
        folder: From where the worker imports modules of the user's own.
        version: Of the worker's Python.

    Raises:
        SourceError: It can't travel; the text says why, and what to do.
    """
    file = io.BytesIO()
    bundler = Bundler(file, protocol, folder)
    try:
        bundler.dump_bundle(function)
    except SourceError:
        raise
    except Exception as error:  # __reduce__ and __getstate__ of a user may raise anything
        raise _blamed(bundler, folder, error) from error
    for snippet in bundler.snippets:
        _check_syntax(snippet, version)
    return file.getvalue()


def _blamed(bundler: Bundler, folder: str | None, error: Exception) -> SourceError:
    """Find the captured value that can't be pickled."""
    for words, value in bundler.values:
        if isinstance(value, (FunctionType, ModuleType, type)):
            continue
        try:
            Bundler(io.BytesIO(), bundler.protocol, folder).dump_bundle(value)
        except Exception as reason:
            return SourceError(
                f"{words} of type {type_name(value)}, which can't be pickled: "
                f"{type(reason).__name__}: {reason}"
            )
    return SourceError(f"{type(error).__name__}: {error}")


def _check_syntax(snippet: Snippet, version: Sequence[int]) -> None:
    """Refuse what the worker's Python can't read; what is not seen here, it says itself."""
    indented = snippet.text[:1].isspace()
    text = f"if 1:\n{snippet.text}" if indented else snippet.text
    if snippet.kind == "lambda":
        text = f"({text}\n)"
    try:
        ast.parse(text, feature_version=(version[0], version[1]))
    except SyntaxError as error:
        line = snippet.line + _newest_line(ast.parse(text), version) - 1 - indented
        raise SourceError(
            f"{snippet.file}, line {line}, in {snippet.qualname}: {error.msg}, and the worker runs "
            f"Python {version[0]}.{version[1]}"
        ) from None


def _newest_line(tree: ast.Module, version: Sequence[int]) -> int:
    """Return the line of the innermost statement that this Python can't read.

    The parser's own number is that of the token by which it had noticed.
    """
    line = 1
    for node in ast.walk(tree):  # outer ones first
        if isinstance(node, ast.stmt):
            line = node.lineno if _is_newer(node, version) else line
    return line


def _is_newer(node: ast.AST, version: Sequence[int]) -> bool:
    try:
        ast.parse(ast.unparse(node), feature_version=(version[0], version[1]))
    except SyntaxError:
        return True
    return False
