"""The voice that a clone is made from: espeak-ng, which says the same text the same way every time.

libespeak-ng is GPL-3 and lives in a worker process (`voiceclone.cloner.espeak_worker`).
"""

from __future__ import annotations

import json
import os
import re
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable, StageFailed

TIMEOUT_S = 60.0
"""Wall-clock seconds within which the worker must answer, which takes it milliseconds."""

_LONGEST = 64 << 20
_ROOT = Path(__file__).resolve().parents[2]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NEIGHBOURS = {"gl": "an", "oc": "ca", "ast": "es", "arg": "an"}
"""Languages that espeak-ng lacks, to the voice that reads their spelling best."""


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A text as the source says it."""

    audio: NDArray[np.float64]
    """Mono, within ±1."""
    rate: int
    phones: tuple[tuple[int, str], ...]
    """First sample and IPA of each phoneme; a pause has none of the IPA's letters."""
    words: tuple[tuple[int, int, int], ...]
    """First sample, first character in the text, and length in characters of each word."""


class SpeechSource:
    """The worker process; started when first needed, again where it has died, and ended by `close`. Thread-safe."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._about: Mapping[str, Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker. The source can be used again afterwards; a new worker then starts."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one."""
        return self._process.pid if self._process else None

    def languages(self) -> tuple[str, ...]:
        """The languages that espeak-ng speaks, as it writes them. Raises EngineUnavailable where it is missing."""
        return tuple(self._known()["voices"])

    def version(self) -> str:
        """libespeak-ng's version. Raises EngineUnavailable where it is missing."""
        return str(self._known()["version"])

    def voice_of(self, language: str) -> str:
        """The voice for a BCP-47 tag: the very one, else its language's, else a neighbour's.

        Raises EngineUnavailable where there is none: espeak-ng itself would read on in English, and not say so.
        """
        there = set(self.languages())
        base = language.split("-", maxsplit=1)[0].lower()
        latin_american = base == "es" and "-" in language and language not in ("es-ES", "es-419")
        usual = "en-us" if base == "en" else base
        exact = "es-419" if latin_american else language.lower()
        wanted = [usual if exact == base else exact, _NEIGHBOURS.get(language, ""), usual, _NEIGHBOURS.get(base, "")]
        for voice in wanted:
            if voice in there:
                return voice
        raise EngineUnavailable(
            f"espeak-ng has no voice for {language}.", remedy=f"It has: {', '.join(sorted(there))}."
        )

    def say(self, text: str, voice: str, wpm: int, *, pitch: int = 50, pitch_range: int = 50) -> Spoken:
        """A text in one of espeak-ng's voices.

        Raises EngineUnavailable where it or the voice is missing, StageFailed where it breaks or gives no sound.
        """
        request = {"do": "say", "text": text, "voice": voice, "wpm": wpm, "pitch": pitch, "range": pitch_range}
        times, sound = self._asked(request, 2)
        made = json.loads(times)
        if not any(sound):
            raise StageFailed(f"espeak-ng gave no sound for {text[:60]!r}.")
        return Spoken(
            np.frombuffer(sound, "<i2").astype(np.float64) / 32768,
            int(made["rate"]),
            tuple((int(sample), str(ipa)) for sample, ipa in made["phones"]),
            tuple((int(sample), int(first), int(length)) for sample, first, length in made["words"]),
        )

    def _known(self) -> Mapping[str, Any]:
        if self._about is None:
            self._about = json.loads(self._asked({"do": "voices"}, 1)[0])
        assert self._about is not None  # noqa: S101 - for the type checker: it was just set
        return self._about

    def _asked(self, request: Mapping[str, Any], messages: int) -> list[bytes]:
        """The answer's messages. A worker that died since the last request is replaced, once."""
        with self._lock:
            for again in (True, False):
                process = self._running()
                try:
                    return self._exchange(process, json.dumps(request).encode(), messages)
                except (OSError, EOFError) as error:
                    self._end()
                    if not again:
                        raise StageFailed("The speech synthesizer's process died.") from error
                except BaseException:
                    # An answer that nobody read would be taken for the next request's.
                    self._end()
                    raise
        raise AssertionError("unreachable")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voiceclone.cloner.espeak_worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))},
            bufsize=0,
        )
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], request: bytes, messages: int) -> list[bytes]:
        assert process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
        deadline = time.monotonic() + self._timeout_s
        process.stdin.write(struct.pack(">I", len(request)) + request)
        answers: list[bytes] = []
        while len(answers) < messages:
            (length,) = struct.unpack(">I", self._read(process, 4, deadline))
            if length > _LONGEST:
                raise StageFailed("espeak-ng made more sound than a text can be.")
            answers.append(self._read(process, length, deadline))
            if answers[0].startswith(b'{"error"'):
                wrong = json.loads(answers[0])
                if wrong["kind"] == "broken":
                    raise StageFailed(f"{wrong['error']}.")
                remedy = "See `espeak-ng --voices`."
                if wrong["kind"] == "missing":
                    remedy = "Run: sudo apt-get install libespeak-ng1 espeak-ng-data"
                raise EngineUnavailable(f"{wrong['error']}.", remedy=remedy)
        return answers

    def _read(self, process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
        assert process.stdout is not None  # noqa: S101 - for the type checker: it is a pipe
        parts = bytearray()
        descriptor = process.stdout.fileno()
        while len(parts) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise StageFailed(f"The speech synthesizer did not answer within {self._timeout_s:g} s.")
            part = os.read(descriptor, min(count - len(parts), 1 << 20))
            if not part:
                raise EOFError("the worker closed its output")
            parts += part
        return bytes(parts)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def plain(text: str) -> str:
    """A text that espeak-ng reads as nothing but text: control codes begin commands, double brackets phonemes.

    Every sign stays where it was, so that places in the text still hold.
    """
    return _CONTROL.sub(" ", text).replace("[", " ").replace("]", " ")
