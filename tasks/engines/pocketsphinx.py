"""English speech to words, and known words to their times, with pocketsphinx, whose model is in its package.

Chunks are decoded in processes of their own, as many as there are cores. Each chunk stands alone (its cepstral mean is
its own, the noise estimate starts anew), so the words do not depend on how many processes there are, nor on which
process decodes what.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.util
import math
import multiprocessing
import os
import re
import signal
import wave
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from manifests.engines import version
from manifests.errors import EngineUnavailable, InputError, StageFailed
from manifests.script import Word
from manifests.spans import ANALYSIS_RATE, RATE, Span
from tasks.engines.pronunciation import phones
from tasks.engines.protocols import Hearing
from tasks.stage import Engine

T = TypeVar("T")

NAME = "pocketsphinx"
LANGUAGES = ("en",)
LONGEST_S = 15.0
"""The longest chunk that `recognize` should be given."""

_STEP = RATE // ANALYSIS_RATE
_FRAME = RATE // 100  # the decoder counts time in frames of 10 ms
_FILLER = re.compile(r"^(<.*>|\[.*\]|\+\+.*\+\+)$")
_VARIANT = re.compile(r"\(\d+\)$")
_SETTINGS: dict[str, Any] = {
    "loglevel": "FATAL",
    # The front end is set by the model's own feat.params, which wins over what is given here. Measured on 180 s of
    # reading (400 words): the second, flat pass costs time and words (18.5 % wrong with it, 17.0 % without); beams
    # wider than the default's 1e-48 and 7e-29 win most where the recording is poor (15 %). The cap on states a frame
    # bounds their cost, which music under the voice would multiply; the words stay the same on clean reading.
    "fwdflat": False,
    "beam": 1e-58,
    "pbeam": 1e-58,
    "wbeam": 1e-36,
    "maxhmmpf": 6000,
}
_LEVEL_DB = -20.0  # of a chunk's louder frames: a faint recording loses its weak consonants in the front end
_MOST_GAIN_DB = 40.0


def engine() -> Engine:
    """Name, version and the digest of the model. Raises EngineUnavailable where the package is not installed."""
    weights = _weights_sha256()
    return Engine(NAME, version(NAME), weights)


@lru_cache
def _weights_sha256() -> str:
    found = importlib.util.find_spec(NAME)
    if found is None or found.origin is None:
        raise EngineUnavailable("The speech recognizer pocketsphinx is not installed.", remedy="Run `make setup`.")
    model = Path(found.origin).parent / "model" / "en-us"
    whole = hashlib.sha256()
    for path in sorted(path for path in model.rglob("*") if path.is_file()):
        whole.update(f"{path.relative_to(model)}\0".encode())
        whole.update(path.read_bytes())
    return whole.hexdigest()


def recognize(
    speech: Path, chunks: Sequence[Span], *, cores: int, tell: Callable[[float], None] = lambda share: None
) -> tuple[Word, ...]:
    """The words in the chunks of a mono 16 kHz WAV file, in order of chunks, without fillers.

    A chunk should hold 0.1 to 0.2 s of quiet at both ends and last at most `LONGEST_S`. Raises StageFailed where a
    decoder dies or takes more than a minute and twenty times a chunk's length.
    """
    found = each(_decode, [(str(speech), chunk) for chunk in chunks], cores, tell)
    return tuple(word for words in found for word in words)


def align(
    speech: Path,
    parts: Sequence[tuple[Span, Sequence[str]]],
    pronunciations: Mapping[str, str],
    *,
    cores: int,
    tell: Callable[[float], None] = lambda share: None,
) -> tuple[tuple[Span, ...] | None, ...]:
    """When each word of each part is said, by forced alignment; None for a part whose words do not fit its sound.

    A part is a stretch of a mono 16 kHz WAV file, of at most 30 s, and its words in lower case. `pronunciations` has
    phones (CMU's, with spaces) for words that the dictionary does not have; `unknown` names those. Alignment finds
    *some* place for any words that are not too many: whether they are said at all must be known otherwise.
    Raises StageFailed as `recognize` does.
    """
    return tuple(
        each(_aligned, [(str(speech), span, tuple(words), dict(pronunciations)) for span, words in parts], cores, tell)
    )


def unknown(words: Iterable[str]) -> tuple[str, ...]:
    """Those of the words that the dictionary does not have, sorted."""
    return tuple(sorted(set(words) - _dictionary()))


@lru_cache
def _dictionary() -> frozenset[str]:
    return frozenset(entry.split(maxsplit=1)[0] for entry in entries())


def entries() -> list[str]:
    """The dictionary's entries: a word, or a further way to say it (`a(2)`), and its phones."""
    package: Any = importlib.import_module(NAME)
    text = (Path(package.get_model_path()) / "en-us" / "cmudict-en-us.dict").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def each(
    work: Callable[..., T], tasks: Sequence[tuple[Any, ...]], cores: int, tell: Callable[[float], None]
) -> list[T]:
    """`work` done on each of the tasks in processes of their own; the results in order."""
    if not tasks:
        return []
    spawn = multiprocessing.get_context("spawn")
    workers = max(1, min(cores, len(tasks)))
    results: list[T] = []
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_prepare, initargs=(os.getpid(),)) as pool:
        try:
            jobs = [pool.submit(work, *task) for task in tasks]
            for done, job in enumerate(jobs, 1):
                results.append(job.result())
                tell(done / len(jobs))
        except BrokenProcessPool as error:
            raise StageFailed(
                "A speech recognizer process died or took too long.", remedy="Run again; if it persists, free memory."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return results


_decoder: Any = None


def _prepare(parent: int) -> None:
    """Set up a worker process: it dies with its parent, and holds one decoder."""
    global _decoder  # noqa: PLW0603 - one decoder a process, for all of its chunks
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _decoder = decoder()


def decoder(**files: str) -> Any:
    """A decoder as they are set here, with the model's own files but for those that are named (`lm`, `dict`)."""
    package: Any = importlib.import_module(NAME)  # by name: it has no type stubs
    return package.Decoder(**_SETTINGS, **files)


def _sound(speech: str, chunk: Span) -> NDArray[np.int16]:
    with wave.open(speech, "rb") as sound:
        sound.setpos(min(chunk.start // _STEP, sound.getnframes()))
        return np.frombuffer(sound.readframes(chunk.length // _STEP), "<i2")


def _decode(speech: str, chunk: Span) -> list[Word]:
    return decoded(_decoder, speech, chunk)


def decoded(decoder: Any, speech: str, chunk: Span) -> list[Word]:
    """What a decoder hears in a chunk, fillers left out."""
    pressure = _sound(speech, chunk)
    if not pressure.any():
        return []
    signal.alarm(60 + 20 * int(chunk.length_s))  # its default action ends this process, which the parent notices
    decoder.reinit_feat()  # else the noise estimate of the last chunk colours this one
    decoder.start_utt()
    decoder.process_raw(_levelled(pressure).tobytes(), full_utt=True)
    decoder.end_utt()
    words: list[Word] = []
    for segment in decoder.seg() or ():
        if _FILLER.match(segment.word):
            continue
        start = min(chunk.start + segment.start_frame * _FRAME, chunk.end)
        end = min(chunk.start + (segment.end_frame + 1) * _FRAME, chunk.end)
        words.append(Word(_VARIANT.sub("", segment.word), Span(start, end), _confidence(segment.prob)))
    signal.alarm(0)
    return words


def _aligned(
    speech: str, part: Span, words: tuple[str, ...], pronunciations: dict[str, str]
) -> tuple[Span, ...] | None:
    pressure = _sound(speech, part)
    if not pressure.any():
        return None
    aligner = _aligner()
    for word in sorted(set(words) & pronunciations.keys()):
        if aligner.lookup_word(word) is None:
            aligner.add_word(word, pronunciations[word])
    signal.alarm(60 + 20 * int(part.length_s))
    aligner.reinit_feat()
    aligner.set_align_text(" ".join(words))
    aligner.start_utt()
    aligner.process_raw(_levelled(pressure).tobytes(), full_utt=True)
    aligner.end_utt()
    said = [segment for segment in aligner.seg() or () if not _FILLER.match(segment.word)]
    signal.alarm(0)
    if [_VARIANT.sub("", segment.word) for segment in said] != list(words):
        return None
    return tuple(
        Span(
            min(part.start + segment.start_frame * _FRAME, part.end),
            min(part.start + (segment.end_frame + 1) * _FRAME, part.end),
        )
        for segment in said
    )


@lru_cache(maxsize=1)
def _aligner() -> Any:
    """One a process, made when it is first needed; its beams are wide: there is one path to keep alive."""
    package: Any = importlib.import_module(NAME)
    return package.Decoder(loglevel="FATAL", lm=None, beam=1e-80, pbeam=1e-80, wbeam=1e-60)


def _levelled(pressure: NDArray[np.int16]) -> NDArray[np.int16]:
    """The sound with its louder frames (within 30 dB of the loudest) at `_LEVEL_DB` dBFS."""
    sound = pressure.astype(np.float64) / 32768
    power = np.mean(sound[: len(sound) // 160 * 160].reshape(-1, 160) ** 2, axis=1) if len(sound) >= 160 else sound**2
    level = 10 * np.log10(np.mean(power[power >= np.max(power) / 1000]) + 1e-12)
    gain = 10 ** (min(_LEVEL_DB - level, _MOST_GAIN_DB) / 20)
    return np.clip(np.round(sound * gain * 32768), -32768, 32767).astype(np.int16)


def _confidence(posterior: float) -> float:
    """How likely a word is right, from its posterior in the lattice, which is too low for doubtful words.

    Fitted to 410 recognized words of reading: of those with a posterior of 0.04, 0.33, 0.7 and 1.0, 46, 70, 91 and 98 %
    were right.
    """
    return round(0.4 + 0.56 * math.sqrt(min(max(float(posterior), 0.0), 1.0)), 3)


class Pocketsphinx:
    """The embedded transcriber: English, with nothing to download."""

    name = NAME
    hears_terms = False
    longest_s = LONGEST_S
    writes = False

    def check(self, wanted: Hearing) -> None:
        if wanted.model or wanted.options:
            raise InputError(
                "the engine pocketsphinx has one model and no options.",
                remedy="Write `engines: {transcribe: pocketsphinx}`.",
            )
        if wanted.language.lower().partition("-")[0] not in LANGUAGES:
            raise EngineUnavailable(
                f"The embedded recognizer understands English only, not {wanted.language!r}.",
                remedy="Set `source_language: en` where the lessons are in English; other languages need another"
                " engine: `engines: {transcribe: whisperx}`.",
            )

    def identity(self, wanted: Hearing) -> Engine:
        return engine()

    def recognize(
        self, speech: Path, parts: Sequence[Span], wanted: Hearing, *, cores: int, tell: Callable[[float], None]
    ) -> tuple[Word, ...]:
        return recognize(speech, parts, cores=cores, tell=tell)

    def align(
        self,
        speech: Path,
        parts: Sequence[tuple[Span, Sequence[str]]],
        wanted: Hearing,
        *,
        cores: int,
        tell: Callable[[float], None],
    ) -> tuple[tuple[Span, ...] | None, ...]:
        pronunciations = phones(unknown(word for _, words in parts for word in words))
        return align(speech, parts, pronunciations, cores=cores, tell=tell)

    def read(
        self,
        speech: Path,
        parts: Sequence[tuple[Span, Sequence[str]]],
        wanted: Hearing,
        *,
        cores: int,
        tell: Callable[[float], None],
    ) -> tuple[tuple[str, ...], ...]:
        from tasks.engines import expected_words

        return expected_words.read(speech, parts, cores=cores, tell=tell)
