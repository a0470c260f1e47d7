"""Argos: packages around tiny networks, trained here in seconds, through the real installing and translating code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manifests.errors import EngineUnavailable, InputError
from manifests.script import Script, Utterance
from manifests.spans import Span
from tasks.engines import argos_packages as on_disk
from tasks.engines.argos import Argos
from tasks.engines.protocols import Translated, Translating
from tasks.engines.resident import release
from tasks.engines.sentence_split import sentences
from tasks.translate import translate
from tiny.argos import PORTUGUESE, SPANISH

pytestmark = pytest.mark.slow


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for models, and a home that must stay empty."""
    monkeypatch.setenv("DUB_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "models" / "argos").mkdir(parents=True)
    yield tmp_path / "models"
    release()


def put(file: Path, models: Path) -> None:
    (models / "argos" / file.name).write_bytes(file.read_bytes())


def ask(*texts: str, to: str = "es", **options: int) -> list[Translated]:
    wanted = Translating("en", to, "argos", options=dict(options))
    return Argos().translate(texts, wanted, cores=1, tell=lambda share: None)


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")  # stanza's, when it is compiled
def test_sentences_are_translated_by_what_argostranslate_installs(
    argos_packages: dict[str, Path], models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own installer unpacks where we look, and its own translation of a sentence is ours."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    import ctranslate2
    from argostranslate import package, settings
    from argostranslate.translate import apply_packaged_translation

    monkeypatch.setattr(settings, "package_data_dir", models / "argos")
    package.install_from_path(argos_packages["en_es"])
    assert (models / "argos" / "en_es" / "metadata.json").is_file()
    assert [each.text for each in ask(*SPANISH)] == list(SPANISH.values())
    theirs = package.Package(models / "argos" / "en_es")

    class Whole:
        def split_sentences(self, text: str) -> list[str]:
            return [text]

    network = ctranslate2.Translator(str(models / "argos" / "en_es" / "model"))
    for text in SPANISH:
        (best,) = apply_packaged_translation(theirs, text, network, Whole(), 1)
        assert best.value == ask(text, hypotheses=1)[0].text


def test_a_package_file_that_is_copied_there_is_enough(argos_packages: dict[str, Path], models: Path) -> None:
    """It is unpacked once; other translations come from the likeliest on; texts without letters stay as they are."""
    put(argos_packages["en_es"], models)
    first, signs = ask("The house is big. We see the river.", "42 ♪", hypotheses=3)
    assert first.text == "La casa es grande. Vemos el río."
    assert len(first.hypotheses) == 2
    assert first.text not in first.hypotheses
    assert signs == Translated("42 ♪")
    assert not list((models / "argos").glob(".unpacking-*"))


def test_two_packages_lead_through_the_language_between(argos_packages: dict[str, Path], models: Path) -> None:
    """English to Portuguese by way of Spanish; the record names both, and the key knows both weights."""
    for file in argos_packages.values():
        put(file, models)
    assert [each.text for each in ask(*SPANISH, to="pt")] == list(PORTUGUESE.values())
    wanted = Translating("en", "pt", "argos")
    assert Argos().route(wanted) == ("en_es", "es_pt")
    assert Argos().identity(wanted).weights_sha256 != Argos().identity(Translating("en", "es", "argos")).weights_sha256
    assert [model.name for model in Argos().models(wanted)] == [
        "argos/translate-en_es-1_0",
        "argos/translate-es_pt-1_0",
    ]


def test_a_lesson_goes_through_the_stage(argos_packages: dict[str, Path], models: Path) -> None:
    """By its name in the catalogue, line by line."""
    put(argos_packages["en_es"], models)
    utterances = [Utterance(str(n), "A", Span(n, n + 1), text, (), 1.0) for n, text in enumerate(SPANISH)]
    lines = translate(Script("en", tuple(utterances)), Translating("en", "es", "argos")).lines
    assert [line.text for line in lines] == list(SPANISH.values())


def test_a_missing_pair_names_the_command(models: Path) -> None:
    """Direct, by way of English, and where Argos has nothing at all."""
    for source, target, remedy in (
        ("en", "es-MX", "dub models pull argos/en_es"),
        ("es", "pt-BR", "dub models pull argos/es_en argos/en_pb"),
        ("en", "zh-TW", "dub models pull argos/en_zt"),
        ("en", "yo", "Argos publishes none"),
    ):
        wanted = Translating(source, target, "argos")
        with pytest.raises(EngineUnavailable, match=f"from {source} to {target}") as refused:
            Argos().check(wanted)
        assert refused.value.remedy.startswith(remedy)
    with pytest.raises(InputError, match="the language of the source"):
        Argos().check(Translating("en", "en-GB", "argos"))


def test_half_a_package_and_another_network_are_named(argos_packages: dict[str, Path], models: Path) -> None:
    """A copy that broke off, weights that are no translator's, half a weights file: never a traceback."""
    whole = argos_packages["en_es"].read_bytes()
    (models / "argos" / "half.argosmodel").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineUnavailable, match=r"half\.argosmodel is no whole package"):
        Argos().check(Translating("en", "es", "argos"))
    (models / "argos" / "half.argosmodel").unlink()
    put(argos_packages["en_es"], models)
    (package,) = on_disk.packages()[0]
    weights = package.folder / "model" / "model.bin"
    good = weights.read_bytes()
    for bad in (good[: len(good) // 2], good.replace(b"TransformerSpec", b"Wav2Vec2BertSp1")):
        weights.write_bytes(bad)
        release()
        with pytest.raises(EngineUnavailable, match="the model argos/en_es cannot be loaded"):
            ask("The house is big.")
    weights.unlink()
    with pytest.raises(EngineUnavailable, match=r"lacks model/model\.bin"):
        Argos().check(Translating("en", "es", "argos"))


def test_an_option_that_is_none_is_refused(models: Path) -> None:
    """With what there is."""
    for options in ({"beams": 3}, {"hypotheses": 0}, {"hypotheses": True}):
        with pytest.raises(InputError, match="hypotheses"):
            Argos().check(Translating("en", "es", "argos", options=dict[str, Any](options)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Mr. J. Smith, e.g. at 3.5 p.m. on Monday. Then", ["Mr. J. Smith, e.g. at 3.5 p.m. on Monday.", "Then"]),
        ('He said "Go." And went.', ['He said "Go."', "And went."]),
        ("¿Qué? ¡Ya! Sí.", ["¿Qué?", "¡Ya!", "Sí."]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("see www.a.org. it is", ["see www.a.org. it is"]),
        ("", []),
    ],
)
def test_sentences_are_told_apart(text: str, expected: list[str]) -> None:
    """Nothing is lost, and an abbreviation ends nothing."""
    assert sentences(text) == expected


def test_what_is_too_long_for_a_model_is_cut_and_whole() -> None:
    """At commas, else between words."""
    text = "a rather long clause, " * 40 + "word " * 100
    parts = sentences(text)
    assert " ".join(parts) == " ".join(text.split())
    assert max(len(part.split()) for part in parts) <= 60
    assert parts[0].endswith(",")
