"""XLIFF 2: one unit a line, with its notes; emphasis as `<pc>`.

Written and read with the standard library: the translate-toolkit, whose licence keeps it out of our processes, reads
what is written here in the tests. What a CAT tool does to a unit is understood: segments divided and rearranged text,
codes and annotations inside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree
from xml.parsers import expat

from manifests.errors import Finding, ManifestError
from manifests.exchange.entry import Entry, Heading, Returned, pieces, tidy

NAMESPACE: Final = "urn:oasis:names:tc:xliff:document:2.0"
_LINE: Final = "{}line"
"""Under this name each element keeps the line of the file in which it begins."""
_STATES: Final = {"human": "reviewed"}


def written(entries: Sequence[Entry], heading: Heading) -> str:
    """Lines as XLIFF 2.0."""
    facts = {"xmlns": NAMESPACE, "version": "2.0", "srcLang": heading.source_language, "trgLang": heading.language}
    root = ElementTree.Element("xliff", facts)
    file = ElementTree.SubElement(root, "file", {"id": "f1", "original": tidy(heading.lesson)})
    targets: list[ElementTree.Element] = []
    for each in entries:
        unit = ElementTree.SubElement(file, "unit", {"id": each.id})
        notes = ElementTree.SubElement(unit, "notes")
        when = f"{each.start:.3f} s to {each.end:.3f} s"
        for about, note in (("time", when), *each.notes, ("origin", each.origin)):
            ElementTree.SubElement(notes, "note", {"category": about}).text = tidy(note)
        state = _STATES.get(each.origin, "translated") if each.text else "initial"
        segment = ElementTree.SubElement(unit, "segment", {"state": state})
        ElementTree.SubElement(segment, "source").text = tidy(each.source)
        targets.append(ElementTree.SubElement(segment, "target"))
    ElementTree.indent(root)
    for target, each in zip(targets, entries, strict=True):  # afterwards, for every space in them counts
        _fill(target, tidy(each.text))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _fill(target: ElementTree.Element, text: str) -> None:
    last: ElementTree.Element | None = None
    number = 0
    for part, emphasized in pieces(text):
        if emphasized:
            number += 1
            codes = {"id": str(number), "type": "fmt", "subType": "xlf:i", "dispStart": "<em>", "dispEnd": "</em>"}
            last = ElementTree.SubElement(target, "pc", codes)
            last.text = part
        elif last is None:
            target.text = (target.text or "") + part
        else:
            last.tail = (last.tail or "") + part


def read(raw: bytes, name: str) -> list[Returned]:
    """The units of an XLIFF 2 file. Raises ManifestError where it is none, or a unit has no segment."""
    root = _parsed(raw, name)
    kind, version = _local(root.tag), root.get("version", "")
    if kind != "xliff" or not version.startswith("2."):
        said = f"XLIFF {version}" if kind == "xliff" else f"<{kind}>"
        raise ManifestError([Finding(name, _at(root), f"this is {said}, not XLIFF 2; export it as XLIFF 2.")])
    out: list[Returned] = []
    findings: list[Finding] = []
    for unit in (each for each in root.iter() if _local(each.tag) == "unit"):
        parts = [each for each in unit if _local(each.tag) in ("segment", "ignorable")]
        if not any(_local(part.tag) == "segment" for part in parts):
            findings.append(Finding(name, _at(unit), f"the unit {unit.get('id', '')} has no segment."))
        said = [_side(part, "source") for part in parts], [_side(part, "target") for part in _as_said(parts)]
        source, text = (tidy("".join(each)) for each in said)
        out.append(Returned(_at(unit), unit.get("id", "").strip(), text, source, language=root.get("trgLang")))
    if not out:
        findings.append(Finding(name, _at(root), "no unit: there is no line in this file."))
    if findings:
        raise ManifestError(findings)
    return out


def _as_said(parts: Sequence[ElementTree.Element]) -> list[ElementTree.Element]:
    """The parts of a unit in the order of their targets: a translation may say them in another than the source."""
    places = [at for at, _ in enumerate(parts, 1)]
    for at, part in enumerate(parts):
        order = next((each.get("order", "") for each in part if _local(each.tag) == "target"), "")
        places[at] = int(order) if order.isdecimal() else places[at]
    return [part for _, part in sorted(zip(places, parts, strict=True), key=lambda pair: pair[0])]


def _side(part: ElementTree.Element, side: str) -> str:
    """The source or the target of a part; what is between segments stands in the target as it does in the source."""
    found = {_local(each.tag): each for each in part}
    chosen = found.get(side, found.get("source") if _local(part.tag) == "ignorable" else None)
    return "".join(_text(chosen)) if chosen is not None else ""


def _text(node: ElementTree.Element) -> Iterator[str]:
    """The text in an element, `<pc>` of ours, or what a tool divided it into, as `<em>`; other codes hold no text."""
    yield node.text or ""
    for child in node:
        kind = _local(child.tag)
        if kind == "cp":
            yield _sign(child.get("hex", ""))
        elif kind in ("sc", "ec") and child.get("disp") in ("<em>", "</em>"):
            yield child.get("disp", "")
        elif kind == "pc" and child.get("dispStart") == "<em>":
            yield "<em>"
            yield from _text(child)
            yield "</em>"
        elif kind in ("pc", "mrk"):
            yield from _text(child)
        yield child.tail or ""


def _sign(code: str) -> str:
    """The character of a code point that XML cannot hold."""
    try:
        return chr(int(code, 16))
    except (ValueError, OverflowError):
        return "\ufffd"


def _parsed(raw: bytes, name: str) -> ElementTree.Element:
    """The tree of a file, its elements with their lines; entities of its own are not read."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")

    def started(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag, {**attributes, _LINE: str(parser.CurrentLineNumber)})

    def refused(*_: object) -> None:
        raise ManifestError([Finding(name, parser.CurrentLineNumber, "XML with entities of its own is not read.")])

    parser.StartElementHandler = started
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refused
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise ManifestError([Finding(name, error.lineno, "this is not well-formed XML.")]) from error
    return builder.close()


def _at(node: ElementTree.Element) -> int:
    return int(node.get(_LINE, "1"))


def _local(name: str) -> str:
    return name.rpartition("}")[2]
