"""What a finished dub says of itself to people: one sentence, as first subtitle and as a tag of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

SENTENCES: Mapping[str, str] = {
    "ar": "الأصوات في هذه الدبلجة اصطناعية.",
    "ca": "Les veus d’aquest doblatge són sintètiques.",
    "cs": "Hlasy v tomto dabingu jsou syntetické.",
    "da": "Stemmerne i denne dubbing er syntetiske.",
    "de": "Die Stimmen dieser Synchronfassung sind synthetisch.",
    "el": "Οι φωνές αυτής της μεταγλώττισης είναι συνθετικές.",
    "en": "The voices in this dub are synthetic.",
    "es": "Las voces de este doblaje son sintéticas.",
    "eu": "Bikoizketa honetako ahotsak sintetikoak dira.",
    "fi": "Tämän jälkiäänityksen äänet ovat synteettisiä.",
    "fr": "Les voix de ce doublage sont synthétiques.",
    "gl": "As voces desta dobraxe son sintéticas.",
    "hi": "इस डबिंग की आवाज़ें कृत्रिम हैं।",
    "hu": "A szinkron hangjai mesterségesek.",
    "id": "Suara dalam sulih suara ini sintetis.",
    "it": "Le voci di questo doppiaggio sono sintetiche.",
    "ja": "この吹き替えの音声は合成音声です。",
    "ko": "이 더빙의 음성은 합성 음성입니다.",
    "nl": "De stemmen in deze nasynchronisatie zijn synthetisch.",
    "no": "Stemmene i denne dubbingen er syntetiske.",
    "oc": "Las voses d’aqueste doblatge son sinteticas.",
    "pl": "Głosy w tym dubbingu są syntetyczne.",
    "pt": "As vozes desta dublagem são sintéticas.",
    "ro": "Vocile din acest dublaj sunt sintetice.",
    "ru": "Голоса в этом дубляже синтезированы.",
    "sv": "Rösterna i den här dubbningen är syntetiska.",
    "tr": "Bu dublajdaki sesler yapaydır.",
    "uk": "Голоси в цьому дубляжі синтезовані.",
    "vi": "Giọng nói trong bản lồng tiếng này là giọng tổng hợp.",
    "zh": "本配音的声音为合成语音。",
}
"""By language, or language and region where that says it otherwise."""

REGIONAL: Mapping[str, str] = {
    "pt-PT": "As vozes desta dobragem são sintéticas.",
    "zh-TW": "本配音的聲音為合成語音。",
    "zh-Hant": "本配音的聲音為合成語音。",
}

TAG = "comment"
"""The tag that every container holds and every player shows."""


def sentence(language: str) -> str:
    """The sentence in a language (BCP-47), in English where we have none."""
    base = language.split("-", maxsplit=1)[0]
    base = {"nb": "no", "nn": "no"}.get(base, base)
    return REGIONAL.get(language) or SENTENCES.get(base) or SENTENCES["en"]


def tags(languages: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """Tags that say so of a file with these languages; what its source says of itself (`own` tags) stays before it."""
    standing = next((value for key, value in own.items() if key.lower() == TAG), "")
    said = [sentence(language) for language in dict.fromkeys(languages)]
    return {TAG: " ".join([*([standing] if standing else []), *said])} if said else {}


def says_so(text: str, language: str) -> bool:
    """Whether a text holds the sentence of a language, however its rows are broken."""
    return _plain(sentence(language)) in _plain(text)


def _plain(text: str) -> str:
    return re.sub(r"[\s\-–]+", "", text).casefold()
