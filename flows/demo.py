"""`dub demo`: a small course made on the spot, and dubbed.

Two lessons of about 40 s in English, drawn slides, two synthetic speakers. The voices are flite's, which belong to
nobody; what they say was written for this.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import typer
from rich.console import Console

from flows.answering import print_json
from flows.order import Order, shown
from flows.running import carry_out
from flows.standing import as_json, stage_seconds
from manifests.errors import EngineUnavailable
from manifests.workspace import Workspace, locate

PAUSE_S = 0.6
LANGUAGES = ("es", "ca")


@dataclass(frozen=True, slots=True)
class Slide:
    """What one slide shows, and who says what while it does."""

    title: str
    colour: str
    points: tuple[str, ...]
    said: tuple[tuple[str, str], ...]
    """flite voice and sentence."""


LECTURER, STUDENT = "slt", "rms"

LESSONS: dict[str, tuple[Slide, ...]] = {
    "lesson-01-water": (
        Slide(
            "Where rain comes from",
            "0x20374c",
            ("the sun heats the sea", "water rises into the air"),
            (
                (LECTURER, "Good morning and welcome to the first lesson of this course."),
                (LECTURER, "Every day the sun heats the water of the sea."),
                (LECTURER, "A part of this water rises into the air, and we can not see it."),
            ),
        ),
        Slide(
            "Clouds",
            "0x234034",
            ("high air is cold", "small drops make a cloud"),
            (
                (STUDENT, "What happens to the water when it is high in the sky?"),
                (LECTURER, "That is a good question. The air is cold there, and the water turns into small drops."),
                (LECTURER, "Many small drops together make a white cloud."),
            ),
        ),
        Slide(
            "Rain and rivers",
            "0x3b2a4a",
            ("heavy drops fall", "rivers return to the sea"),
            (
                (LECTURER, "When the drops are heavy, they fall to the ground, and we call it rain."),
                (STUDENT, "So the river brings the water back to the sea."),
                (LECTURER, "Yes, and then the story begins again."),
            ),
        ),
    ),
    "lesson-02-light": (
        Slide(
            "Light",
            "0x4a3a23",
            ("light is very fast", "eight minutes from the sun"),
            (
                (LECTURER, "In the second lesson we look at light."),
                (LECTURER, "Light is the fastest thing in the world."),
                (LECTURER, "The light of the sun needs eight minutes to arrive at the earth."),
            ),
        ),
        Slide(
            "Colour",
            "0x432828",
            ("white light holds every colour", "glass can divide it"),
            (
                (STUDENT, "Why do we see so many different colours?"),
                (LECTURER, "White light holds every colour that you know."),
                (LECTURER, "A piece of glass can divide the light, and then you see red, yellow, green and blue."),
            ),
        ),
        Slide(
            "Shadow",
            "0x2b2f52",
            ("light goes straight", "a wall stops it"),
            (
                (STUDENT, "And what is a shadow?"),
                (LECTURER, "Light goes straight on. When a wall stops it, the place behind the wall is dark."),
                (LECTURER, "Thank you for your attention, and see you next week."),
            ),
        ),
    ),
}


def run_demo(folder: Path, json_wanted: bool) -> NoReturn:
    """Make the course, dub it, print where the videos are and how long each stage took."""
    folder = folder.expanduser().absolute()
    (folder / "media").mkdir(parents=True, exist_ok=True)
    for name, slides in LESSONS.items():
        media = folder / "media" / f"{name}.mp4"
        if not media.exists():
            draw_lesson(media, slides)
    manifest = folder / "course.yaml"
    manifest.write_text(
        "# Made by `dub demo`: two lessons, two speakers, two languages.\n"
        "course: demo\n"
        "source_language: en\n"
        f"targets: [{', '.join(LANGUAGES)}]\n"
        "lessons:\n"
        "  - media: media/*.mp4\n",
        encoding="utf-8",
    )
    order = Order(manifest=manifest, workspace=locate(manifest), cores=os.cpu_count() or 1)
    code = carry_out(order, json_wanted=False, table=not json_wanted, tell=False)
    rows = list(Workspace.open(order.workspace).ledger.targets("demo").values())
    if json_wanted:
        print_json(as_json("demo", rows))
        raise typer.Exit(code)
    console = Console(file=sys.stderr)
    console.print("seconds of work by stage:", highlight=False)
    for stage, took in stage_seconds(rows).items():
        console.print(f"  {stage:<11}{took:7.1f}", highlight=False)
    console.print(f"A second run does nothing: dub run {shown(manifest)}\nThe finished videos:", highlight=False)
    for video in sorted(_videos(folder / "out" / "demo")):
        sys.stdout.write(f"{video}\n")
    raise typer.Exit(code)


def draw_lesson(media: Path, slides: tuple[Slide, ...]) -> None:
    """Write one lesson: slides drawn with ffmpeg, speech by flite, room noise under it."""
    import ffmpeg
    from pydub import AudioSegment

    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sound = AudioSegment.silent(int(PAUSE_S * 1000), frame_rate=48_000)
        pictures: list[Any] = []
        for number, slide in enumerate(slides):
            shown_from = len(sound)
            for voice, text in slide.said:
                sound += _speak(text, voice, folder) + AudioSegment.silent(int(PAUSE_S * 1000), frame_rate=48_000)
            begins = 0 if number == 0 else shown_from - int(PAUSE_S * 500)
            ends = len(sound) if number == len(slides) - 1 else len(sound) - int(PAUSE_S * 500)
            pictures.append(_picture(slide, (ends - begins) / 1000, folder))
        voice_file = folder / "voice.wav"
        sound.set_channels(2).export(voice_file, format="wav")
        room = ffmpeg.input("anoisesrc=color=pink:amplitude=0.002:sample_rate=48000:seed=1", f="lavfi")
        audio = ffmpeg.filter(
            [ffmpeg.input(str(voice_file)).audio, room.audio], "amix", inputs=2, duration="first", normalize=0
        )
        made = folder / "lesson.mp4"
        _ffmpeg(
            ffmpeg.output(
                ffmpeg.concat(*pictures, v=1, a=0),
                audio,
                str(made),
                vcodec="libx264",
                preset="veryfast",
                pix_fmt="yuv420p",
                acodec="aac",
                audio_bitrate="160k",
                t=len(sound) / 1000,
                movflags="+faststart",
                **{"metadata:s:a:0": "language=eng"},
            )
        )
        part = media.with_name(f".{media.name}.part")
        part.write_bytes(made.read_bytes())
        part.replace(media)


def _speak(text: str, voice: str, folder: Path) -> Any:
    from pydub import AudioSegment

    spoken = folder / "spoken.wav"
    try:
        subprocess.run(
            ["flite", "-voice", voice, "-t", text, "-o", str(spoken)], check=True, capture_output=True, timeout=60
        )
    except FileNotFoundError as error:
        raise EngineUnavailable("flite is not installed.", remedy="Run: make setup") from error
    return AudioSegment.from_wav(spoken).set_frame_rate(48_000)


def _picture(slide: Slide, length_s: float, folder: Path) -> Any:
    import ffmpeg

    title, points = folder / f"{slide.title}.title", folder / f"{slide.title}.points"
    title.write_text(slide.title, encoding="utf-8")
    points.write_text("\n\n".join(f"–  {point}" for point in slide.points), encoding="utf-8")
    return (
        ffmpeg.input(f"color=c={slide.colour}:s=1280x720:r=25:d={length_s:.3f}", f="lavfi")
        .video.filter("drawbox", x=80, y=210, w=1120, h=4, color="white@0.4", t="fill")
        .filter("drawtext", textfile=str(title), x=80, y=110, fontsize=64, fontcolor="white", font="DejaVu Sans")
        .filter("drawtext", textfile=str(points), x=100, y=290, fontsize=40, fontcolor="white@0.85", font="DejaVu Sans")
    )


def _ffmpeg(stream: Any) -> None:
    import ffmpeg

    command = ffmpeg.compile(stream.global_args("-v", "error", "-nostdin"), overwrite_output=True)
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=600)
    except FileNotFoundError as error:
        raise EngineUnavailable("ffmpeg is not installed.", remedy="Run: make setup") from error


def _videos(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.mp4") if not path.name.startswith(".")]
