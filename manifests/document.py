"""YAML text as plain data that remembers its lines.

ruamel's C parser reads ten thousand lessons in a third of a second (its round-trip loader takes seven times as long);
the node tree it composes knows the line of everything, so lines cost nothing until a fault asks for one.

YAML 1.2 is read: `no`, `on` and `yes` are text, so Norwegian is a language. Dates are text as they are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ruamel.yaml

from manifests import syntax
from manifests.errors import Finding, ManifestError

_yaml: Any = ruamel.yaml
"""Untyped on purpose: the library's own annotations leave most of its nodes and marks unknown."""

Node = Any
"""A node of ruamel's tree; its `id` is `scalar`, `sequence` or `mapping`."""

At = tuple[str | int, ...]
"""Where something stands in a manifest: keys and indices from the top, `("lessons", 3, "media")`."""

DEEPEST: Final = 32
"""Levels of nesting that are read; a manifest needs five. The C composer has no limit of its own, and crashes."""

MOST_VALUES: Final = 2_000_000
"""Values that aliases may expand to: a few lines of aliases to aliases can stand for billions."""

LARGEST_BYTES: Final = 64 * 2**20
"""A longer file is a video that was given by mistake, not a manifest."""

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML file says. `data` is dicts, lists, str, int, float, bool and None."""

    name: str
    """The file as findings name it."""
    data: dict[str, Any]
    faults: tuple[Finding, ...]
    """What was understood only in part: keys given twice, tags, keys that are not text."""
    _root: Node

    def line(self, at: At) -> int:
        """Line (from 1) of a key or list item; of the nearest thing around it that is there, where it is not."""
        line = _line(self._root)
        node: Node = self._root
        for step in at:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line

    def written(self, at: At) -> str:
        """A plain value as the file has it: `1_000`, `2026-01-01`; empty for lists and mappings."""
        node: Node = self._root
        for step in at:
            found = _child(node, step)
            if found is None:
                return ""
            node = found[1]
        return str(node.value) if node.id == "scalar" else ""


def read_text(path: Path, name: str) -> str:
    """A text file that a person wrote; raises ManifestError where it is not there, not text or not UTF-8."""
    try:
        if path.is_dir():
            raise ManifestError([Finding(name, 1, "this is a folder; give the manifest in it.")])
        if path.stat().st_size > LARGEST_BYTES:
            raise ManifestError([Finding(name, 1, "this is far too large for a manifest; is it a media file?")])
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise ManifestError([Finding(name, 1, f"there is no such file{_neighbours(path)}.")]) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ManifestError([Finding(name, 1, f"cannot be read: {reason}.")]) from error
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ManifestError([Finding(name, line, "this is not text in UTF-8; save it as UTF-8.")]) from error


def parse(text: str, name: str) -> Document:
    """Read one YAML document whose top is a mapping; raises ManifestError where it cannot be read at all."""
    try:
        _refuse_depths(text, name)
        root = _yaml.YAML(typ="safe").compose(text)
    except _yaml.error.YAMLError as error:
        raise ManifestError([syntax.fault(error, text, name)]) from error
    if root is None:
        raise ManifestError([Finding(name, 1, "the file is empty; a manifest begins with `course: NAME`.")])
    if root.id != "mapping":
        what = "a manifest is keys and values, such as `course: intro-biology`."
        raise ManifestError([Finding(name, _line(root), what)])
    reader = _Reader(name)
    reader.measure(root)
    return Document(name, reader.mapping(root), tuple(reader.faults), root)


class _Reader:
    """Turns nodes into plain data; a node that several aliases share is read once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.faults: list[Finding] = []
        self._known: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}

    def measure(self, node: Node) -> int:
        """Values that a node stands for, aliases expanded; raises ManifestError for loops and for too many."""
        known = self._sizes.get(id(node))
        if known is not None:
            if known == 0:
                raise ManifestError([Finding(self.name, _line(node), "this contains itself (`&` and `*`).")])
            return known
        self._sizes[id(node)] = 0
        children: Sequence[Node] = ()
        if node.id == "mapping":
            children = [part for pair in node.value for part in pair]
        elif node.id == "sequence":
            children = node.value
        size = 1 + sum(self.measure(child) for child in children)
        if size > MOST_VALUES:
            raise ManifestError([Finding(self.name, _line(node), "aliases (`*`) make this far too large.")])
        self._sizes[id(node)] = size
        return size

    def value(self, node: Node) -> Any:
        if id(node) not in self._known:
            if node.id == "mapping":
                self._known[id(node)] = self.mapping(node)
            elif node.id == "sequence":
                self._check_tag(node, "seq")
                self._known[id(node)] = [self.value(child) for child in node.value]
            else:
                self._known[id(node)] = self.scalar(node)
        return self._known[id(node)]

    def mapping(self, node: Node) -> dict[str, Any]:
        self._check_tag(node, "map")
        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if key.id != "scalar":
                self._fault(key, "a key is a plain word.")
            elif _is_merge(key):
                for more in reversed(_merged_nodes(value)):
                    merged.update(self.value(more))
            elif key.value in lines:
                self._fault(key, f"`{key.value}` is given twice; it stands in line {lines[key.value]} already.")
            else:
                if _kind(key) in {"int", "float", "bool", "null"}:
                    self._fault(key, f"a key is text; write `{key.value or '~'}` in quotes.")
                lines[key.value] = _line(key)
                out[key.value] = self.value(value)
        return merged | out

    def scalar(self, node: Node) -> Any:
        text: str = node.value
        if "\0" in text:
            self._fault(node, "a value cannot hold the character NUL.")
            text = text.replace("\0", "")
        match _kind(node):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float" as kind:
                return _number(text, kind)
            case "str" | "timestamp":
                return text
            case _:
                self._fault(node, f"`{node.tag}` is not known here; leave the tag out.")
                return text

    def _check_tag(self, node: Node, kind: str) -> None:
        if _kind(node) != kind:
            self._fault(node, f"`{node.tag}` is not known here; leave the tag out.")

    def _fault(self, node: Node, message: str) -> None:
        self.faults.append(Finding(self.name, _line(node), message))


def _kind(node: Node) -> str:
    """`str`, `int`, `map`, … of YAML's own tags; any other tag in full."""
    return str(node.tag).removeprefix(_TAG)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _is_merge(key: Node) -> bool:
    return key.id == "scalar" and key.value == "<<" and not key.style


def _merged_nodes(value: Node) -> list[Node]:
    """The mappings that `<<: *name` or `<<: [*one, *other]` brings in; the first one wins."""
    nodes: list[Node] = value.value if value.id == "sequence" else [value]
    return [node for node in nodes if node.id == "mapping"]


def _child(node: Node, step: str | int) -> tuple[int, Node] | None:
    """Line and node of one step down."""
    if node.id == "sequence" and isinstance(step, int) and step < len(node.value):
        child: Node = node.value[step]
        return _line(child), child
    if node.id == "mapping":
        for key, value in node.value:
            if key.id == "scalar" and key.value == step:
                return _line(key), value
        for key, value in node.value:
            for more in _merged_nodes(value) if _is_merge(key) else ():
                found = _child(more, step)
                if found is not None:
                    return found
    return None


def _number(text: str, kind: str) -> int | float | str:
    plain = text.replace("_", "").lower()
    try:
        if kind == "float":
            return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
        return int(plain, 0) if plain.lstrip("+-")[:2] in {"0x", "0o", "0b"} else int(plain)
    except ValueError:  # thousands of digits, say: left as text, which is then the wrong type
        return text


def _refuse_depths(text: str, name: str) -> None:
    """Raise ManifestError where lists and mappings nest deeper than any manifest; the event parser is not recursive."""
    depth = 0
    for event in _yaml.YAML(typ="safe").parse(text):
        if isinstance(event, _yaml.events.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                line = int(event.start_mark.line) + 1
                raise ManifestError([Finding(name, line, "lists and mappings nest too deep for a manifest.")])
        elif isinstance(event, _yaml.events.CollectionEndEvent):
            depth -= 1


def _neighbours(path: Path) -> str:
    """`(did you mean …?)` where the folder holds manifests of nearly this name."""
    from difflib import get_close_matches

    try:
        there = [other.name for other in path.parent.iterdir() if other.suffix in {".yaml", ".yml", ".csv"}]
    except OSError:
        return f": the folder {path.parent} does not exist" if not path.parent.exists() else ""
    near = get_close_matches(path.name, there, n=1)
    return f" (did you mean {path.parent / near[0]}?)" if near else ""
