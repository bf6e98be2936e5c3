"""Read one YAML document by the YAML 1.2 core schema, keeping the position of every value.

PyYAML follows YAML 1.1, where ``1e-4`` is text, ``no`` is False and the last of two equal keys silently wins. Here only
its event parser is used; values are resolved by the core schema, equal keys are errors, and aliases, tags and deep
nesting are refused, so a small file cannot expand into a large one.

Source: YAML 1.2.2 specification, section 10.3 (core schema).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from adapterxfer.errors import Problem, RecipeError

MAX_BYTES = 256 * 1024
"""Largest document. The longest file that ships has 5 KB, so one above this is something else, given by mistake."""

MAX_DEPTH = 32
"""Deepest nesting. Recipes that ship go 6 deep; code that walks a document by recursion is safe at this depth."""

Path = tuple[str | int, ...]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+\Z", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+\Z", re.ASCII)
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_INFINITE = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")


@dataclass(slots=True)
class Document:
    """The plain value of a document and where each part of it stands.

    Attributes:
        value: dicts, lists, text, numbers, booleans and None.
        values: path -> (line, column) of the value, 1-based.
        keys: path -> (line, column) of the key that introduces it; list items have no key.
        problems: mistakes that did not stop the reading.
    """

    value: Any = None
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def nearest(self, path: Path) -> tuple[int, int]:
        """The position of a value, or of the nearest part around it that has one."""
        while path not in self.values and path not in self.keys and path:
            path = path[:-1]
        return self.values.get(path) or self.keys.get(path) or (1, 1)


@dataclass(slots=True)
class _Frame:
    """A collection that is being read."""

    path: Path
    items: dict[str, Any] | list[Any]
    key: str | None = None
    seen: dict[str, int] = field(default_factory=dict)


def _stop(source: str, line: int, column: int, message: str, fix: str = "") -> NoReturn:
    raise RecipeError(source, [Problem(line, column, message)], fix=fix)


def parse_yaml(text: str | bytes, source: str) -> Document:
    """Parse one document.

    Args:
        text: the document; bytes must be UTF-8.
        source: the name used in messages, usually the file path.

    Raises:
        RecipeError: the text is no YAML document of the accepted form; mistakes that allow reading on are left in
            ``Document.problems`` instead, so that they can be reported together with those of the schema.
    """
    if len(text) > MAX_BYTES:
        _stop(source, 1, 1, f"the file is larger than {MAX_BYTES // 1024} KiB", "a recipe is a short text file")
    content = text if isinstance(text, str) else _decode(text, source)
    try:
        return _Builder(source).build(content)
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        line = content.count("\n", 0, position) + 1
        column = position - content.rfind("\n", 0, position)
        character = error.character if isinstance(error.character, int) else 0
        _stop(source, line, column, f"the character U+{character:04X} is not allowed in YAML")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        _stop(source, line, column, f"not valid YAML: {error.problem or error.context or 'cannot be parsed'}")
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # PyYAML lets some mistakes of the text through as plain errors, e.g. the escape "\UFFFFFFFF"
        _stop(source, 1, 1, "not valid YAML: an escape, a directive or a number in it cannot be read")


def _decode(text: bytes, source: str) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        column = error.start - text.rfind(b"\n", 0, error.start)
        _stop(source, line, column, "not UTF-8", "save the file as UTF-8")


class _Builder:
    """Builds the value from parser events without recursion."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.document = Document()
        self.stack: list[_Frame] = []
        self.documents = 0

    def build(self, text: str) -> Document:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            mark = event.start_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            if isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    _stop(self.source, line, column, "a second document starts here", "keep one recipe per file")
            elif isinstance(event, yaml.AliasEvent):
                _stop(self.source, line, column, "aliases (*name) are not allowed", "write the value out")
            elif isinstance(event, yaml.ScalarEvent):
                self._check_extras(event, line, column)
                self._scalar(event, line, column)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._check_extras(event, line, column)
                self._open(event, line, column)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.stack.pop()
        return self.document

    def _check_extras(self, event: Any, line: int, column: int) -> None:
        if event.anchor is not None:
            _stop(self.source, line, column, "anchors (&name) are not allowed", "write the value out")
        if event.tag is not None:
            _stop(self.source, line, column, f"tags ({event.tag}) are not allowed", "remove the tag")

    def _open(self, event: Any, line: int, column: int) -> None:
        if len(self.stack) >= MAX_DEPTH:
            _stop(self.source, line, column, f"nested deeper than {MAX_DEPTH} levels")
        if self.stack and self._expects_key():
            _stop(self.source, line, column, "a key must be plain text", "quote the key or remove the brackets")
        items: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Frame(self._place(items, line, column), items))

    def _expects_key(self) -> bool:
        frame = self.stack[-1]
        return isinstance(frame.items, dict) and frame.key is None

    def _scalar(self, event: Any, line: int, column: int) -> None:
        if self.stack and self._expects_key():
            self._take_key(self.stack[-1], event.value, line, column)
            return
        value = event.value
        if event.implicit[0]:
            value = self._resolve(event.value, line, column)
        self._place(value, line, column)

    def _take_key(self, frame: _Frame, key: str, line: int, column: int) -> None:
        if key in frame.seen:
            name = ".".join(map(str, (*frame.path, key)))
            self._problem(line, column, f"key '{name}' appears twice (first on line {frame.seen[key]})")
        else:
            frame.seen[key] = line
            self.document.keys[(*frame.path, key)] = (line, column)
        frame.key = key

    def _place(self, value: Any, line: int, column: int) -> Path:
        """Attach a value to the innermost open collection and return its path."""
        if not self.stack:
            self.document.value = value
            self.document.values[()] = (line, column)
            return ()
        frame = self.stack[-1]
        if isinstance(frame.items, dict):
            assert frame.key is not None
            path: Path = (*frame.path, frame.key)
            frame.items[frame.key] = value
            frame.key = None
        else:
            path = (*frame.path, len(frame.items))
            frame.items.append(value)
        self.document.values[path] = (line, column)
        return path

    def _problem(self, line: int, column: int, message: str) -> None:
        self.document.problems.append(Problem(line, column, message))

    def _resolve(self, text: str, line: int, column: int) -> Any:
        """The value of a plain scalar in the core schema."""
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if len(text) > 64:  # longer digit strings are text: no number of a recipe needs them
            return text
        if _INT.match(text):
            digits = text.lstrip("+-")
            if len(digits) > 1 and digits[0] == "0":
                self._problem(line, column, f"{text} has a leading zero; write {int(text)}, or quote it if it is text")
            return int(text)
        if _OCTAL.match(text):
            return int(text[2:], 8)
        if _HEX.match(text):
            return int(text[2:], 16)
        if _FLOAT.match(text):
            return float(text)
        if _INFINITE.match(text):
            self._problem(line, column, f"{text}: a finite number is needed")
        return text
