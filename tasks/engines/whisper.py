"""Whisper in memory: whisperx's batches around faster-whisper, given the stretches that are to be heard.

Import this module only after `manifests.quiet.settle()`: the libraries read the environment while they load.
"""

# whisperx, faster-whisper and torch are typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from manifests.errors import EngineUnavailable, InputError
from manifests.spans import ANALYSIS_RATE
from tasks.engines.models import loading
from tasks.engines.protocols import Floats

LONGEST_S: Final = 30.0
"""What Whisper hears at once."""

SURE: Final = 0.8
"""From this share on another language than the one that was told is the one that is spoken."""

_CODES: Final = {"nb": "no", "fil": "tl", "jv": "jw"}
"""Languages that Whisper writes otherwise than BCP-47 does."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was heard in a stretch."""

    text: str
    likelihood: float
    """The geometric mean of its tokens' probabilities."""


class Recognizer:
    """A Whisper model. One thread at a time."""

    def __init__(self, name: str, pipeline: Any, given: Any) -> None:
        self.name = name
        self._pipeline = pipeline
        self._given = given

    @classmethod
    def load(cls, name: str, folder: Path, device: str, precision: str, threads: int) -> Recognizer:
        """From a folder in CTranslate2's format. Raises EngineUnavailable where it holds no Whisper, or half of one."""
        with loading(name), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            # audio is handed over as arrays, so whether torchcodec can decode files is of no interest
            warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly", category=UserWarning)
            logging.getLogger("whisperx").addHandler(logging.NullHandler())  # else it writes to stdout
            import whisperx
            from whisperx.vads import Vad

            class Given(Vad):
                """In place of a detector: the stretches that our own diarization found."""

                def __init__(self) -> None:
                    super().__init__(0.5)
                    self.stretches: list[dict[str, Any]] = []

                @staticmethod
                def preprocess_audio(audio: Floats) -> Floats:
                    return audio

                def __call__(self, sound: Mapping[str, Any]) -> list[dict[str, Any]]:
                    return self.stretches

                @staticmethod
                def merge_chunks(
                    segments: list[dict[str, Any]], chunk_size: float, onset: float, offset: float | None
                ) -> list[dict[str, Any]]:
                    return segments

            given = Given()
            pipeline = whisperx.load_model(
                str(folder),
                device,
                compute_type=precision,
                vad_model=given,
                local_files_only=True,
                threads=threads,
            )
        return cls(name, pipeline, given)

    def hear(self, sounds: Sequence[Floats], language: str, hotwords: str | None = None) -> list[Said]:
        """What is said in mono 16 kHz sounds of at most thirty seconds each, heard as one batch.

        Raises EngineUnavailable where the model does not know the language.
        """
        code = self._code(language)
        at = 0.0
        self._given.stretches = []
        for sound in sounds:
            end = at + len(sound) / ANALYSIS_RATE
            self._given.stretches.append({"start": at, "end": end, "segments": []})
            at = end
        self._pipeline.options = replace(self._pipeline.options, hotwords=hotwords)
        heard = self._pipeline.transcribe(np.concatenate(sounds), batch_size=len(sounds), language=code)
        return [Said(part["text"].strip(), math.exp(min(0.0, part["avg_logprob"]))) for part in heard["segments"]]

    def check_language(self, sound: Floats, language: str) -> None:
        """Raises InputError where speech of at most thirty seconds is surely in another language than this one."""
        code = self._code(language)
        if not self._pipeline.model.model.is_multilingual:
            return
        heard, share, _ = self._pipeline.model.detect_language(audio=sound)
        if heard != code and share >= SURE:
            raise InputError(
                f"the speech is in {heard!r} ({share:.0%} sure), and not in {language!r}.",
                remedy=f"Set `source_language: {heard}`; or, where that is a mishearing,"
                f" `engines: {{transcribe: {{name: whisperx, options: {{language: {language}}}}}}}`.",
            )

    def _code(self, language: str) -> str:
        base = language.lower().partition("-")[0]
        code = _CODES.get(base, base)
        known: list[str] = self._pipeline.model.supported_languages
        if code not in known or self._pipeline.model.hf_tokenizer.token_to_id(f"<|{code}|>") is None:
            raise EngineUnavailable(
                f"the model {self.name} does not know the language {language!r}.",
                remedy="Name one that does: `engines: {transcribe: {name: whisperx, model: faster-whisper-large-v3}}`.",
            )
        return code
