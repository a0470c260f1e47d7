"""Languages: BCP-47 tags as people write them, the codes that containers want, and names that people read.

The registry and the names are langcodes' and language-data's (from the IANA registry and Unicode CLDR); they are
imported when first asked for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from manifests.own_names import OWN_NAMES

if TYPE_CHECKING:
    from langcodes import Language

NOT_SPOKEN = frozenset({"und", "mis", "mul", "zxx", "root"})
"""Tags of the registry that name no language: undetermined, uncoded, several, none."""


@lru_cache(maxsize=1024)
def parse(tag: str) -> str:
    """The canonical form of a BCP-47 tag: `pt_br` -> `pt-BR`, `spa` -> `es`, `iw` -> `he`.

    Raises ValueError, in words for the person who wrote it, where the tag names no spoken language; an English or
    native name of a language is answered with its tag.
    """
    from langcodes import Language, standardize_tag, tag_is_valid

    try:
        valid = tag_is_valid(tag)
        canonical = standardize_tag(tag) if valid else ""
    except ValueError:
        valid, canonical = False, ""
    parts = Language.get(canonical or "und")
    language = parts.language or "und"
    if language in NOT_SPOKEN or language.startswith("x-") or "qaa" <= language <= "qtz" or parts.extlangs:
        raise ValueError(f"`{tag}` is not a language tag; {_advice(tag)}")
    return canonical


def iso_639_2(tag: str) -> str:
    """The three-letter terminological code (ISO 639-2/T) by which containers name a language: `es` -> `spa`.

    A language that has only an ISO 639-3 code is named by its macrolanguage where it has one (`cmn` -> `zho`), because
    players look up the shorter list.
    """
    language = _language(tag)
    if len(language.language or "") > 2:
        language = language.prefer_macrolanguage()
    return language.to_alpha3(variant="T")


def own_name(tag: str) -> str:
    """What the language's speakers call it, as a title: `es` -> `Español`."""
    if (known := OWN_NAMES.get(tag)) is not None:
        return known
    name = _language(tag).autonym()
    return name[:1].title() + name[1:]  # title case, not upper: Georgian has capitals that no title uses


def english_name(tag: str) -> str:
    """What English calls the language: `pt-BR` -> `Portuguese (Brazil)`."""
    return _language(tag).display_name()


def _language(tag: str) -> Language:
    from langcodes import Language

    return Language.get(parse(tag))


def _advice(tag: str) -> str:
    from langcodes import find

    try:
        found = find(tag).to_tag()
    except (LookupError, ValueError):
        return "write a BCP-47 tag such as `es` or `pt-BR`."
    return f"did you mean `{found}`?"
