"""The sentence that says that speech is synthetic: in every language, found again, off only with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from manifests.errors import ManifestError
from manifests.load import load
from tasks.disclosure import SENTENCES, says_so, sentence, tags


def test_the_sentence_is_in_the_targets_language() -> None:
    """By region where that says it otherwise, by language else; English where there is none."""
    assert sentence("es-MX") == "Las voces de este doblaje son sintéticas."
    assert sentence("pt-BR") == "As vozes desta dublagem são sintéticas."
    assert sentence("pt-PT") == "As vozes desta dobragem são sintéticas."
    assert sentence("nb") == "Stemmene i denne dubbingen er syntetiske."
    assert sentence("tlh") == "The voices in this dub are synthetic."


@pytest.mark.parametrize("language", SENTENCES)
def test_it_is_found_however_it_is_broken(language: str) -> None:
    """Rows, dashes and other text around it do not hide it; other text is not it."""
    words = sentence(language).split(" ")
    half = len(words) // 2
    assert says_so("- " + " ".join(words[:half]) + "\n" + " ".join(words[half:]) + "\n- Hello", language)
    assert not says_so("La biología sintética estudia las voces.", language)


def test_the_tag_keeps_what_the_source_says() -> None:
    """The source's comment stays before ours; nothing is said of a file without synthetic speech."""
    assert tags(["es"], {"COMMENT": "Week 1."}) == {"comment": f"Week 1. {sentence('es')}"}
    assert tags(["es", "ca"], {}) == {"comment": f"{sentence('es')} {sentence('ca')}"}
    assert tags([], {"comment": "Week 1."}) == {}


def test_switching_one_off_needs_a_reason(tmp_path: Path) -> None:
    """Named with its line; with a reason it is taken."""
    (tmp_path / "one.mp4").write_bytes(b"")
    manifest = tmp_path / "course.yaml"
    head = "course: c\ntargets: [es]\nlessons: [{media: one.mp4}]\ndelivery:\n  disclosure:\n    watermark: false\n"
    manifest.write_text(head, encoding="utf-8")
    with pytest.raises(ManifestError, match=r"course.yaml:6: `watermark` is switched off without a reason"):
        load(manifest)
    manifest.write_text(head + "    reason: marked by the engine\n", encoding="utf-8")
    course = load(manifest)
    assert course.delivery.disclosure.switched_off == ("watermark",)
