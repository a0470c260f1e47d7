"""A course's glossary: every row understood, or named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests import load
from manifests.errors import ManifestError
from manifests.glossary import Term, read

HEAD = "source,target language,term,pronunciation\n"


def glossary(folder: Path, text: str) -> Path:
    path = folder / "glossary.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_terms_of_a_language_or_of_all(tmp_path: Path) -> None:
    """The nearest language wins; no term means that the word stays; spaces at the edges mean nothing."""
    rows = "leaf,es,hoja,\nleaf , es-mx ,hojita,\nPython,,,[[p'aITon]]\nwater,pt_BR,água,ah gua\n"
    found = read(glossary(tmp_path, HEAD + rows))
    assert found.findings == ()
    assert found.of("es-MX") == (Term("leaf", "es-MX", "hojita"), Term("Python", "*", "Python", "[[p'aITon]]"))
    assert found.of("es") == (Term("leaf", "es", "hoja"), Term("Python", "*", "Python", "[[p'aITon]]"))
    assert found.of("pt-BR")[0] == Term("water", "pt-BR", "água", "ah gua")
    assert found.sources() == ("leaf", "Python", "water")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("source,term\na,b\n", 1, "no column `target language`"),
        ("source,target language,term,sound\na,es,b,c\n", 1, "unknown column `sound`"),
        (HEAD + "leaf,es,hoja,\nleaf,es,hoja,\n", 3, "`leaf` is there twice for es, first in line 2."),
        (
            HEAD + 'leaf,es,"hoja\n",\nLeaf,es,folio,\n',
            4,
            "`Leaf` is `folio` for es, and `hoja` in line 2; keep one of the two.",
        ),
        (HEAD + "leaf,spanish,hoja,\n", 2, "`spanish` is not a language tag; did you mean `es`?"),
        (HEAD + "leaf,de,Blatt,\n", 2, "`de` is not among the targets: es, pt-BR."),
        (HEAD + ",es,hoja,\n", 2, "`source` is empty"),
        (HEAD + "leaf,es,hoja,,\n", 2, "5 values where the first line names 4"),
        ("", 1, "the file is empty; its first line names columns: source, target language, term, pronunciation."),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    """Of the CSV, also where a quoted cell runs over two lines; the manifest is not understood then."""
    path = glossary(tmp_path, text)
    (finding,) = read(path, ("es", "pt-BR")).findings
    assert (finding.file, finding.line) == (str(path), line)
    assert finding.message.startswith(message)
    manifest = tmp_path / "course.yaml"
    manifest.write_text("course: c\ntargets: [es, pt-BR]\nglossary: glossary.csv\nlessons: [{media: a.mp4}]\n")
    with pytest.raises(ManifestError) as refused:
        load.load(manifest)
    assert refused.value.findings == (finding,)


def test_a_missing_glossary_is_told_where_it_is_named(tmp_path: Path) -> None:
    """By the manifest's line."""
    manifest = tmp_path / "course.yaml"
    manifest.write_text("course: c\ntargets: [es]\nglossary: terms.csv\nlessons: [{media: a.mp4}]\n")
    with pytest.raises(ManifestError, match=r"course\.yaml:3: there is no file `terms\.csv`"):
        load.load(manifest)
