"""Assemble a talk with open-dubbing 0.2, in an environment that has it.

    run_open_dubbing.py TALK_JSON MEDIA OUT PLAN_JSON

Its own steps from synthesis on: the takes stand in for its speech engine, nothing is recognized, translated or
separated. Of torch and pyannote only the names are needed here: they are stood in for. PLAN_JSON gets where and how
fast each take is played.
"""

import json
import shutil
import sys
import tempfile
import types
from pathlib import Path
from unittest.mock import MagicMock

for name in ("torch", "pyannote", "pyannote.audio"):
    sys.modules[name] = MagicMock(spec=types.ModuleType(name), __path__=[])
sys.modules["pyannote.audio"].Pipeline = object

from open_dubbing import audio_processing  # noqa: E402 - the stand-ins come first
from open_dubbing.pydub_audio_segment import AudioSegment  # noqa: E402
from open_dubbing.text_to_speech import TextToSpeech  # noqa: E402
from open_dubbing.video_processing import VideoProcessing  # noqa: E402


class Takes(TextToSpeech):
    """Speaks a line, whose text is the path of its take, by copying that, as an mp3 as all its engines give."""

    def get_available_voices(self, language_code: str) -> list[object]:
        return []

    def get_languages(self) -> list[str]:
        return ["spa"]

    def _convert_text_to_speech(self, *, output_filename: str, text: str, **_: object) -> str:
        AudioSegment.from_file(text).export(output_filename, format="mp3")
        return output_filename


def main() -> None:
    talk, media, out, plan = map(Path, sys.argv[1:])
    lines = json.loads(talk.read_text("utf-8"))
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        video, audio = VideoProcessing.split_audio_video(video_file=str(media), output_directory=folder)
        utterances = [
            {
                "id": number,
                "start": start,
                "end": end,
                "speaker_id": "ana",
                "gender": "female",
                "for_dubbing": True,
                "translated_text": str(talk.parent / take),
                "assigned_voice": "ana",
                "speed": 1.0,
                "path": f"{folder}/chunk_{number}.mp3",
            }
            for number, (start, end, take, _) in enumerate(lines)
        ]
        dubbed = Takes().dub_utterances(
            utterance_metadata=utterances, output_directory=folder, target_language="spa", audio_file=audio
        )
        vocals = audio_processing.insert_audio_at_timestamps(
            utterance_metadata=dubbed, background_audio_file=audio, output_directory=folder
        )
        silence = f"{folder}/background.mp3"  # what separation would leave of a talk in a quiet room
        AudioSegment.silent(duration=AudioSegment.from_mp3(audio).duration_seconds * 1000).export(silence, format="mp3")
        merged = audio_processing.merge_background_and_vocals(
            background_audio_file=silence,
            dubbed_vocals_audio_file=vocals,
            output_directory=folder,
            target_language="spa",
        )
        made = VideoProcessing.combine_audio_video(
            video_file=video, dubbed_audio_file=merged, output_directory=folder, target_language="spa"
        )
        shutil.move(made, out)
        placed = [
            {
                "start": line["start"],
                "end": line["start"] + AudioSegment.from_file(line["dubbed_path"]).duration_seconds,
                "rate": line["speed"],
            }
            for line in dubbed
        ]
    plan.write_text(json.dumps({"placed": placed}), "utf-8")


if __name__ == "__main__":
    main()
