"""How English words are said, in the phones of the CMU dictionary, for words that it does not have.

espeak-ng's letter-to-sound rules, its American phonemes written as CMU's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tasks.process import run_program

_PHONES: Final = {
    **{sign: sign.upper() for sign in "bdfgklmnprstvwz"},
    "a": "AE",
    "aa": "AE",
    "a#": "AH",
    "A:": "AA",
    "A@": "AA R",
    "0": "AA",
    "O:": "AO",
    "O@": "AO R",
    "o@": "AO R",
    "O2": "AO",
    "OI": "OY",
    "aI": "AY",
    "aI3": "AY ER",
    "aI@": "AY AH",
    "aU": "AW",
    "eI": "EY",
    "E": "EH",
    "e@": "EH R",
    "i": "IY",
    "i:": "IY",
    "i@": "IY AH",
    "i@3": "IH R",
    "I": "IH",
    "I2": "IH",
    "I#": "IH",
    "oU": "OW",
    "U": "UH",
    "U@": "UH R",
    "u:": "UW",
    "V": "AH",
    "@": "AH",
    "@2": "AH",
    "@-": "AH",
    "@L": "AH L",
    "3": "ER",
    "3:": "ER",
    "n-": "AH N",
    "r-": "R",
    "t#": "T",
    "t2": "T",
    "?": "T",
    "tS": "CH",
    "dZ": "JH",
    "S": "SH",
    "Z": "ZH",
    "T": "TH",
    "D": "DH",
    "N": "NG",
    "j": "Y",
    "h": "HH",
    "x": "K",
    "C": "K",
}
"""espeak-ng's phoneme mnemonics (its en-us voice) to CMU's phones."""


def phones(words: Sequence[str]) -> dict[str, str]:
    """CMU phones, with spaces, of words in lower case; a word for which there are none is left out.

    Raises EngineUnavailable or ProgramFailed as `run_program` does.
    """
    if not words:
        return {}
    command = ["espeak-ng", "-q", "-x", "--sep=_", "-v", "en-us", "--stdin"]
    # Each word a sentence of its own: one line of phonemes each.
    said = run_program(command, 10 + 0.01 * len(words), given="".join(f"{word}.\n" for word in words)).splitlines()
    found = {
        word: " ".join(_PHONES[part] for part in _parts(line) if part in _PHONES)
        for word, line in zip(words, (line for line in said if line.strip()), strict=False)
    }
    return {word: text for word, text in found.items() if text}


def _parts(line: str) -> list[str]:
    return [part.lstrip("',%=") for part in re.split(r"[_\s]+", line.strip())]
