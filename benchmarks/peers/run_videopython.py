"""Assemble a talk with videopython 0.62, in an environment that has it.

    run_videopython.py TALK_JSON MEDIA OUT PLAN_JSON

Its own dubbing pipeline from synthesis on: the takes stand in for its speech backend, nothing is recognized, translated
or separated. PLAN_JSON gets where and how fast each take is played.
"""

import json
import sys
from pathlib import Path

import numpy as np
from videopython.ai.dubbing.models import TranslatedSegment
from videopython.ai.dubbing.pipeline import LocalDubbingPipeline
from videopython.ai.dubbing.remux import replace_audio_stream_from_audio
from videopython.ai.dubbing.timing import TimingSynchronizer
from videopython.audio import Audio
from videopython.base.transcription import Transcription, TranscriptionSegment, TranscriptionWord


class Takes:
    """Speaks a line, whose text is the path of its take, by reading that."""

    def generate_audio(self, text: str, **_: object) -> Audio:
        audio = Audio.from_path(text.split(maxsplit=1)[0])
        for further in text.split()[1:]:
            audio = audio.concat(Audio.from_path(further))
        return audio


def main() -> None:
    talk, media, out, plan = map(Path, sys.argv[1:])
    lines = json.loads(talk.read_text("utf-8"))
    segments = [
        TranscriptionSegment(
            start=start,
            end=end,
            text=f"line {number}",
            words=[TranscriptionWord(start=start, end=end, word=f"line{number}")],
            speaker="ana",
        )
        for number, (start, end, _, _) in enumerate(lines)
    ]
    translated = [
        TranslatedSegment(
            original_segment=segment,
            translated_text=str(talk.parent / take),
            source_lang="en",
            target_lang="es",
            speaker="ana",
            start=start,
            end=end,
        )
        for segment, (start, end, take, _) in zip(segments, lines, strict=True)
    ]
    placed: list[dict[str, float]] = []
    assemble = TimingSynchronizer.assemble_with_timing

    def watched(
        self: TimingSynchronizer, parts: list[Audio], starts: list[float], *more: object, **named: object
    ) -> Audio:
        for part, start in zip(parts, starts, strict=True):
            placed.append({"start": float(start), "end": float(start + part.metadata.duration_seconds)})
        return assemble(self, parts, starts, *more, **named)

    TimingSynchronizer.assemble_with_timing = watched
    adjusted: list[float] = []
    synchronize = TimingSynchronizer.synchronize_segments

    def counted(self: TimingSynchronizer, *given: object, **named: object) -> object:
        made = synchronize(self, *given, **named)
        adjusted.extend(float(adjustment.speed_factor) for adjustment in made[1])
        return made

    TimingSynchronizer.synchronize_segments = counted
    result = LocalDubbingPipeline(tts_backend=Takes()).process(
        Audio.from_path(media),
        "es",
        "en",
        preserve_background=False,
        voice_clone=False,
        transcription=Transcription(segments=segments),
        translated_segments=translated,
    )
    replace_audio_stream_from_audio(media, result.dubbed_audio, out, keep_original_audio=True)
    played = [{**line, "rate": rate} for line, rate in zip(placed, adjusted, strict=True)]
    plan.write_text(json.dumps({"placed": played, "peak": float(np.abs(result.dubbed_audio.data).max())}), "utf-8")


if __name__ == "__main__":
    main()
