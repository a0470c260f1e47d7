"""XLIFF 2 as OASIS specifies its core: what is written obeys it, what CAT tools write by it is understood.

The rules are those of the specification's core (2.0 and 2.1, sections 4.2 and 4.3), told in tables of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.exchange import Entry, Heading, xliff

NAMESPACE = "{urn:oasis:names:tc:xliff:document:2.0}"
TOKEN = re.compile(r"[\w.\-:·]+")
TAG = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
INLINE = "(?:cp |ph |pc |sc |ec |mrk |sm |em )*"

CHILDREN = {
    "xliff": "(?:file )+",
    "file": "(?:skeleton )?(?:notes )?(?:unit |group )+",
    "group": "(?:notes )?(?:unit |group )*",
    "unit": "(?:notes )?(?:originalData )?(?:segment |ignorable )+",
    "notes": "(?:note )+",
    "note": "",
    "segment": "source (?:target )?",
    "ignorable": "source (?:target )?",
    "source": INLINE,
    "target": INLINE,
    "pc": INLINE,
    "cp": "",
}
"""What an element holds, in this order."""

REQUIRED = {"xliff": ("version", "srcLang"), "file": ("id",), "unit": ("id",), "pc": ("id",), "cp": ("hex",)}
ALLOWED = {
    "xliff": {"version", "srcLang", "trgLang"},
    "file": {"id", "original", "canResegment", "translate", "srcDir", "trgDir"},
    "unit": {"id", "name", "canResegment", "translate", "srcDir", "trgDir", "type"},
    "notes": set[str](),
    "note": {"id", "appliesTo", "category", "priority"},
    "segment": {"id", "canResegment", "state", "subState"},
    "source": set[str](),
    "target": {"order"},
    "pc": {"id", "type", "subType", "dispStart", "dispEnd", "equivStart", "equivEnd", "canCopy", "canDelete"},
    "cp": {"hex"},
}
STATES = ("initial", "translated", "reviewed", "final")
TYPES = ("fmt", "ui", "quote", "link", "image", "other")
TEXTS = st.text() | st.sampled_from(["<em>a</em> b <em>c</em>", "\x00\x0b", "  two  spaces ", "<g id='1'>&amp;", ""])


def local(node: ElementTree.Element) -> str:
    assert node.tag.startswith(NAMESPACE), f"{node.tag} is of another namespace"
    return node.tag.removeprefix(NAMESPACE)


def faults(node: ElementTree.Element) -> Iterator[str]:
    """Every rule of the core that an element breaks, or one in it."""
    name = local(node)
    if not re.fullmatch(CHILDREN[name], "".join(f"{local(child)} " for child in node)):
        yield f"<{name}> holds {[local(child) for child in node]}"
    yield from (f"<{name}> has no {key}" for key in REQUIRED.get(name, ()) if key not in node.attrib)
    yield from (f"<{name}> has {key}" for key in node.attrib if key not in ALLOWED[name])
    if "id" in node.attrib and not TOKEN.fullmatch(node.attrib["id"]):
        yield f"{node.attrib['id']!r} is no id"
    if name not in ("note", "source", "target", "pc") and any(
        (text or "").strip() for text in (node.text, *(child.tail for child in node))
    ):
        yield f"<{name}> holds text"
    if name == "file":
        ids = [unit.get("id") for unit in node.iter(f"{NAMESPACE}unit")]
        yield from (f"the unit {each} is there twice" for each in set(ids) if ids.count(each) > 1)
    if name == "segment":
        state = node.get("state", "initial")
        if state not in STATES or (state != "initial" and node.find(f"{NAMESPACE}target") is None):
            yield f"a segment in the state {state} without a target"
    if name in ("source", "target"):
        ids = [each.get("id") for each in node.iter(f"{NAMESPACE}pc")]
        yield from (f"the code {each} is there twice" for each in set(ids) if ids.count(each) > 1)
    if name == "pc":
        kind, finer = node.get("type"), node.get("subType")
        if (kind is not None and kind not in TYPES) or (finer is not None and (kind is None or ":" not in finer)):
            yield f"<pc> of the type {kind}, {finer}"
    for child in node:
        yield from faults(child)


@given(texts=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), language=st.sampled_from(["es", "pt-BR"]))
def test_what_is_written_obeys_the_core(texts: list[tuple[str, str]], language: str) -> None:
    """Order and number of elements, attributes, ids, states, codes, languages; whatever the texts hold."""
    entries = [
        Entry(str(at), at, at + 1.5, "SPEAKER_00", source, text, origin, (("length", "1.5 s"), ("context", source)))
        for at, (source, text) in enumerate(texts, 1)
        for origin in [("machine", "human", "memory")[at % 3]]
    ]
    root = ElementTree.fromstring(xliff.written(entries, Heading("c", "lesson", "en", language)))  # noqa: S314 (ours)
    assert list(faults(root)) == []
    assert root.get("version") == "2.0"
    assert all(TAG.fullmatch(root.attrib[key]) for key in ("srcLang", "trgLang"))
    assert root.get("trgLang") == language


def test_the_rules_find_what_is_wrong() -> None:
    """A file with a fault of every kind: the tables are no mere decoration."""
    text = (
        f'<xliff xmlns="{NAMESPACE[1:-1]}" version="2.0"><file id="f 1"><unit id="1" lang="x"><segment state="final">'
        '<target/><source/></segment><notes><note>n</note></notes></unit><unit id="1">stray<segment><source><pc'
        ' id="1" subType="i"/><pc id="1"/></source></segment></unit></file></xliff>'
    )
    assert sorted(faults(ElementTree.fromstring(text))) == [  # noqa: S314 (ours)
        "'f 1' is no id",
        "<pc> of the type None, i",
        "<segment> holds ['target', 'source']",
        "<unit> has lang",
        "<unit> holds ['segment', 'notes']",
        "<unit> holds text",
        "<xliff> has no srcLang",
        "the code 1 is there twice",
        "the unit 1 is there twice",
    ]


UNITS = {
    "states and sub-states": (
        '<segment id="s1" state="translated" subState="tool:mt"><source>Hi.</source><target>Hola.</target></segment>',
        "Hola.",
    ),
    "original data and codes": (
        '<originalData><data id="d1">&lt;b&gt;</data><data id="d2">&lt;/b&gt;</data></originalData><segment><source>'
        'Hi <pc id="1" dataRefStart="d1" dataRefEnd="d2">you</pc><ph id="2" dataRef="d1"/>.</source><target>'
        'Hola, <pc id="1" dataRefStart="d1" dataRefEnd="d2">tú</pc><ph id="2" dataRef="d1"/>.</target></segment>',
        "Hola, tú.",
    ),
    "segments in another order": (
        '<segment id="a"><source>If so,</source><target order="3">si es así.</target></segment>'
        "<ignorable><source> </source></ignorable>"
        '<segment id="b"><source>go.</source><target order="1">Ve,</target></segment>',
        "Ve, si es así.",
    ),
    "character data": (
        "<segment><source>A</source><target><![CDATA[1 < 2 & <em>ya</em>]]></target></segment>",
        "1 < 2 & <em>ya</em>",
    ),
    "emphasis that was divided": (
        '<segment><source>A b</source><target>Un <sc id="1" disp="&lt;em&gt;"/>gran</target></segment>'
        '<ignorable><source> </source></ignorable><segment><source>c</source><target>sol<ec startRef="1"'
        ' disp="&lt;/em&gt;"/></target></segment>',
        "Un <em>gran sol</em>",
    ),
    "annotations": (
        '<segment><source>A</source><target><mrk id="m1" type="term">El <sm id="m2"/>sol<em startRef="m2"/></mrk>'
        '<cp hex="0007"/></target></segment>',
        "El sol",
    ),
    "another module's texts": (
        '<m:matches xmlns:m="urn:oasis:names:tc:xliff:matches:2.0"><m:match ref="#s1"><source>Hi</source>'
        "<target>Buenas</target></m:match></m:matches><notes><note>n</note></notes>"
        '<segment id="s1"><source>Hi</source><target>Hola</target></segment>',
        "Hola",
    ),
    "a code point that is none": ('<segment><source>A</source><target>a<cp hex="zz"/>b</target></segment>', "a\ufffdb"),
    "no target": ("<segment><source>A</source></segment>", ""),
}


@pytest.mark.parametrize("prefix", ["", "x:"])
@pytest.mark.parametrize("what", UNITS)
def test_what_a_cat_tool_writes_is_understood(what: str, prefix: str) -> None:
    """Of version 2.1, in files and groups, with the namespace as it is usual or behind a prefix."""
    inner, wanted = UNITS[what]
    text = f'<xliff version="2.1" srcLang="en" trgLang="es"><file id="f"><group id="g"><unit id="7">{inner}</unit>'
    text += "</group></file></xliff>"
    named = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    if prefix:
        parts = re.split(r"(<!\[CDATA\[.*?\]\]>)", text)
        prefixed = [
            part if part.startswith("<![") else re.sub(r"<(/?)(?![/\w]*:)", rf"<\1{prefix}", part) for part in parts
        ]
        text = "".join(prefixed)
    text = text.replace("version=", f'{named}="{NAMESPACE[1:-1]}" version=', 1)
    [line] = xliff.read(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), "lines.xlf")
    assert (line.id, line.text, line.at) == ("7", wanted, 2)
