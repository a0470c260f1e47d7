"""Speech by espeak-ng: stock voices that belong to nobody, in a hundred languages, with nothing to download.

espeak-ng is GPL and runs as a process of its own, one a line.
"""

from __future__ import annotations

import html
import math
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from manifests import emphasis
from manifests.errors import ConsentRefused, DubError, EngineUnavailable, InputError, StageFailed
from manifests.script import Speaker, Voice
from tasks import take_sound
from tasks.engines.protocols import Control, Voicing
from tasks.stage import Engine, Workbench

if TYPE_CHECKING:
    from tasks.reference import Reference
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.saying import Said, Saying

NORMAL_WPM = 165
"""The engine's normal rate: it then reads a page of 238 syllables in 46.5 s, where a Spanish narrator took 46.7 s,
at 5.4 syllables a second between pauses against the narrator's 6.6, and below the 7.8 of native reading
(Pellegrino and others 2011). espeak-ng's own default, 175, takes 43.6 s."""

TIMEOUT_S = 60

STOCK = {"m3": 106, "m1": 95, "m7": 108, "m5": 103, "f2": 197, "f3": 207, "f4": 181, "f1": 180}
"""Variants, and the median F0 in Hz of each at pitch 50, measured with WORLD's harvest on Spanish sentences."""

BETWEEN_HZ = 145
"""A speaker below is given one of the low variants, above one of the high ones."""

_OCTAVES_A_STEP = 0.0093 / math.log(2)
"""How much one step of the pitch setting moves F0: a factor of exp(0.0093), measured over 0 to 99."""

_SETTINGS = (25, 80)
"""Pitch settings outside of these sound broken."""

_EMPHASIS = '<prosody pitch="+25%" rate="85%" volume="+40%">{}</prosody>'
"""Measured on Spanish and English words: F0 up by 1.5 to 2.5 semitones, level by 2 to 4 dB, length by a tenth."""

_NOT_WORDS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\[\]\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]")
"""Control codes, brackets, and pictures, whose names nobody wants to hear."""

_OPEN, _CLOSE = "\ue000", "\ue001"  # of private use: no text of people's has them, nor can write phonemes
_PHONEMES = re.compile(rf"{_OPEN}([a-zA-Z0-9@:;,'%=#&*?^~!_| -]*){_CLOSE}")

_NEIGHBOURS = {"gl": "an", "fr": "fr-fr", "en": "en-us", "pt-PT": "pt", "oc": "ca", "ast": "es", "arg": "an"}
"""Languages that espeak-ng lacks, or names otherwise, to the voice that reads their spelling best.

Aragonese for Galician: it reads `xente` and `dixo` with the right [ʃ], where Spanish says [s] and [ks], and Portuguese
would weaken the vowels."""


_MARK = "tS_tS_tS"
"""Phonemes that no text has on a row of their own; they stand between texts that are read in one call."""
_NO_PHONE = re.compile(r"\([a-z-]+\)|[_|]*_[:|!]+")
"""Switches of language, and pauses."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How much there is to say in a text."""

    phones: int
    words: int
    breaks: int
    """Between clauses."""


class Silent(StageFailed):
    """A text has no sound in a voice, as where it holds nothing but signs."""


@lru_cache(maxsize=1)
def version() -> str:
    """espeak-ng's version, for the record. Raises EngineUnavailable where it is missing."""
    found = re.search(r"\d+(\.\d+)+", _run(["--version"], b"").decode(errors="replace"))
    return found.group() if found else "unknown"


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The language tags that espeak-ng has voices for, as it writes them."""
    rows = _run(["--voices"], b"").decode(errors="replace").splitlines()[1:]
    return tuple(row.split()[1] for row in rows)


def voice_of(language: str) -> str | None:
    """espeak-ng's voice for a BCP-47 tag: the very one, else its language's, else a neighbour's; None without one."""
    there = set(languages())
    base = language.split("-", maxsplit=1)[0]
    latin_american = base == "es" and "-" in language and language not in ("es-ES", "es-419")
    candidates = [
        "es-419" if latin_american else language.lower(),
        _NEIGHBOURS.get(language, ""),
        base,
        _NEIGHBOURS.get(base, ""),
    ]
    return next((voice for voice in candidates if voice in there), None)


def base_of(language: str) -> str:
    """espeak-ng's voice for a BCP-47 tag. Raises EngineUnavailable where there is none."""
    base = voice_of(language)
    if base is None:
        raise EngineUnavailable(f"espeak-ng has no voice for {language}.", remedy=f"It has: {', '.join(languages())}.")
    return base


def pitch_setting(variant: str, hz: float | None) -> int:
    """The pitch setting at which a variant speaks near a fundamental frequency, within what still sounds whole."""
    if hz is None:
        return 50
    steps = math.log2(hz / STOCK[variant]) / _OCTAVES_A_STEP
    return round(min(max(50 + steps, _SETTINGS[0]), _SETTINGS[1]))


def raised(setting: int, semitones: float) -> int:
    """A pitch setting that many semitones higher, or lower, within what still sounds whole."""
    return round(min(max(setting + semitones / 12 / _OCTAVES_A_STEP, _SETTINGS[0]), _SETTINGS[1]))


def phonemes(mnemonics: str) -> str:
    """A stretch of text that is said by espeak-ng's own phoneme mnemonics, such as `f'otu`."""
    return f"{_OPEN}{mnemonics}{_CLOSE}"


def spoken(text: str) -> str:
    """A text that espeak-ng reads as nothing but text, on one line: without control codes, of which 1 begins a
    command, without brackets, of which two begin phonemes, and without emoji. The phonemes of `phonemes` stay."""
    parts = enumerate(_PHONEMES.split(text))
    said = (f"[[{part}]]" if at % 2 else _NOT_WORDS.sub(" ", part) for at, part in parts)
    return " ".join("".join(said).split())


def marked_up(text: str) -> str | None:
    """A text whose words in `<em>` are emphasized, as SSML; None where there are none.

    espeak-ng's own `<emphasis>` lowers the pitch of an English word and pauses after a Spanish one, so the words are
    raised, slowed and made louder by about as much as a cloned voice does it. Raises InputError for tags that do not
    pair up.
    """
    plain, places = emphasis.parsed(spoken(text))
    if not places:
        return None
    made, after = "", 0
    for first, end in places:
        usual, emphasized = (html.escape(part, quote=False) for part in (plain[after:first], plain[first:end]))
        made += usual + _EMPHASIS.format(emphasized)
        after = end
    return f"<speak>{made}{html.escape(plain[after:], quote=False)}</speak>"


def read(texts: Sequence[str], voice: str) -> list[Reading]:
    """How a voice reads each of some texts; one process for all, and nothing is synthesized.

    Raises EngineUnavailable without espeak-ng, StageFailed where it breaks or does not give back every text.
    """
    if not texts:
        return []
    said = _run(
        ["-q", "-x", "--sep=_", "-v", voice.partition("+")[0], "--stdin"],
        "".join(f"{spoken(emphasis.plain(text))}\n\n[[{_MARK.replace('_', '')}]]\n\n" for text in texts).encode(),
        timeout_s=TIMEOUT_S + len(texts) / 10,
    ).decode(errors="replace")
    parts = re.split(rf"^\s*{_MARK}\s*$", said, flags=re.MULTILINE)[:-1]
    if len(parts) != len(texts):
        raise StageFailed(f"espeak-ng read {len(parts)} texts of {len(texts)}.")
    return [_reading(part) for part in parts]


def _reading(rows: str) -> Reading:
    clauses = [_NO_PHONE.sub("_", row).strip(" _|") for row in rows.splitlines()]
    clauses = [clause for clause in clauses if clause]
    phones = sum(len(re.findall(r"[^_|\s]+", clause)) for clause in clauses)
    return Reading(phones, sum(len(clause.split()) for clause in clauses), max(0, len(clauses) - 1))


def speak(text: str, voice: str, pitch: int, to: Path, *, wpm: int = NORMAL_WPM) -> Path:
    """Write a text as speech, as `take_sound.write` leaves it. Raises as `sound` does, and Silent for no sound."""
    samples, rate = sound(text, voice, pitch, wpm=wpm)
    if not samples.any():
        raise Silent(f"espeak-ng gave no sound for {text[:60]!r}.")
    return take_sound.write(samples, rate, to)


def sound(text: str, voice: str, pitch: int, *, wpm: int = NORMAL_WPM) -> tuple[NDArray[np.float32], int]:
    """A text as mono samples within ±1, and their rate; words in `<em>` with emphasis; no sound for signs alone.

    Raises InputError for `<em>` that do not pair up, EngineUnavailable without espeak-ng or the voice, StageFailed
    where it breaks.
    """
    base, _, variant = voice.partition("+")
    if base not in languages() or (variant and variant not in STOCK):
        # espeak-ng itself would read on in English, and not say so.
        raise EngineUnavailable(f"espeak-ng has no voice {voice}.", remedy="See `espeak-ng --voices`.")
    markup = marked_up(text)
    said = _run(
        [*(["-m"] if markup else []), "-v", voice, "-s", str(wpm), "-p", str(pitch), "-b", "1", "--stdin", "--stdout"],
        (markup or spoken(text)).encode(),
    )
    # espeak-ng cannot know the length when it writes the header to a pipe, so only the sample rate is believed.
    rate, pressure = int.from_bytes(said[24:28], "little"), said[44 : len(said) // 2 * 2]
    return np.frombuffer(pressure, dtype="<i2").astype(np.float32) / np.float32(32768), rate


def _run(arguments: list[str], text: bytes, timeout_s: float = TIMEOUT_S) -> bytes:
    try:
        done = subprocess.run(["espeak-ng", *arguments], input=text, capture_output=True, timeout=timeout_s, check=True)
    except FileNotFoundError as error:
        raise EngineUnavailable("espeak-ng is not installed.", remedy="Run: sudo apt-get install espeak-ng") from error
    except subprocess.CalledProcessError as error:
        raise StageFailed(f"espeak-ng failed: {error.stderr.decode(errors='replace').strip()[-300:]}") from error
    except subprocess.TimeoutExpired as error:
        raise StageFailed(f"espeak-ng did not answer within {timeout_s:.0f} s.") from error
    return done.stdout


class Espeak:
    """The embedded synthesizer: stock voices, with nothing to download; people's own are the adaptive cloner's."""

    name = "espeak-ng"
    code_licence = "GPL-3.0-or-later, run as a process of its own"
    weights_licence = "GPL-3.0-or-later"
    cloner = "adaptive"
    obeys: frozenset[Control] = frozenset({"rate", "pitch", "emphasis"})
    seeded = False
    sample_rate = 22_050

    def check(self, wanted: Voicing) -> None:
        if wanted.model or wanted.options:
            raise InputError(
                "the engine espeak-ng has no models and no options.", remedy="Write `engines: {synthesize: espeak-ng}`."
            )
        base_of(wanted.language)

    def identity(self, wanted: Voicing) -> Engine:
        return Engine(self.name, version())

    def languages(self, wanted: Voicing) -> tuple[str, ...]:
        return languages()

    def commercial(self, wanted: Voicing) -> bool:
        return True

    def third_party(self, wanted: Voicing) -> None:
        return None

    def cast(self, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
        from tasks.stock_voices import stock_voices

        return stock_voices(wanted.language, speakers, reasons)

    def speak(self, sayings: Sequence[Saying], voice: Voice, wanted: Voicing, *, cores: int) -> Iterator[Said | None]:
        """As many at once as there are cores."""
        with ThreadPoolExecutor(max_workers=max(1, cores)) as pool:
            futures = [pool.submit(_said, saying, voice) for saying in sayings]
            try:
                for future in futures:
                    yield future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def learn(
        self, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
    ) -> NoReturn:
        raise InputError("espeak-ng has no voice but its own")

    def speaker(self, voice: Voice, wanted: Voicing, registry: Registry, bench: Workbench) -> NoReturn:
        raise ConsentRefused("espeak-ng speaks in nobody's voice")


def _said(saying: Saying, voice: Voice) -> Said | None:
    from voiceclone.saying import Said

    how = saying.refinement
    pitch = raised(voice.pitch, how.pitch) if how.pitch else voice.pitch
    try:
        samples, rate = sound(saying.text, voice.name, pitch, wpm=round(NORMAL_WPM * how.pace * saying.rate))
    except DubError as error:
        raise error.about(line=saying.line) from error.__cause__
    return Said(samples, rate) if samples.any() else None
