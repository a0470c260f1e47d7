"""Multi: one finished file of a lesson that carries every language, the first of them the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tasks.containers import chosen
from tasks.media import Media
from tasks.remux import FORMATS, Params, deliver, dub_of, granted, params_of
from tasks.stage import Made, Stage, Workbench


def holds_many(media: Media, container: str) -> bool:
    """Whether a file of this source can carry several languages (mp3, wav and flac cannot)."""
    return chosen(media, container)[0].holds_many


def together(languages: Sequence[str]) -> tuple[str, ...]:
    """What is needed to deliver a lesson in several languages at once; names of a language's own begin with it."""
    parts = ("clone/casting.json", "mix/dub.flac", "mix/mix.json", "synthesize/lines.json", "place/timeline.json")
    own = (f"{language}:{part}" for language in languages for part in parts)
    return ("source", "split/media.json", "transcribe/script.json", *own)


def stage(languages: tuple[str, ...]) -> Stage:
    """The stage that makes `<lesson>.multi.<ext>` of these languages."""

    def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        dubs = [dub_of(params, language, inputs, of=f"{language}:") for language in languages]
        embedded = replace(params, subtitles=tuple(way for way in params.subtitles if way not in FORMATS))
        consents = dict.fromkeys(
            consent
            for language in languages
            for consent in granted(params, language, inputs[f"{language}:clone/casting.json"])
        )
        return deliver(embedded, inputs, bench, dubs, tuple(consents))

    return Stage(
        name="multi",
        version=9,
        scope="lesson",
        needs=together(languages),
        makes=("delivery.json",),
        params=params_of,
        run=run,
    )
