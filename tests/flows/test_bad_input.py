"""Sources and wishes that are not what they should be: each is named with its mend, and everything else is done."""

import json
import shutil
import struct
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

SAID = "Plants turn the light of the sun into energy."
PICTURE = ("-f", "lavfi", "-i", "color=c=0x20374c:s=160x90:r=25")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")

BROKEN = {
    "missing": ("missing.mp4 does not exist.", "Correct its name in the manifest, or restore it."),
    "empty": ("empty.mp4 is empty.", "Copy or export it again."),
    "cut-index": ("cut-index.mp4 is cut short", "Copy or export it again; it must be whole."),
    "cut-sound": ("cut-sound.mp4 is cut short", "Copy or export it again; it must be whole."),
    "text": (
        "text.mp4 is no media file that ffmpeg can read (moov atom not found; text.mp4: Invalid data",
        "Copy or export it again; it must be whole.",
    ),
    "mute": ("mute.mp4 has no sound: there is nothing to dub.", "Give a file with an audio track, or leave it out."),
}
"""Lesson to what its message says is wrong, and what it says to do."""

SPOKEN = {
    "good": "good.mp4",
    "blink": "blink.mp4",
    "surround": "surround.mkv",
    "unnamed": "unnamed.mkv",
    "telephone": "telephone.mp4",
    "phone": "phone.mp4",
    "late": "late.mkv",
    "two-tracks": "two-tracks.mkv",
    "-dash": "-dash.mp4",
    'it\'s  "un été" [1] 100%': 'it\'s  "un été" [1] 100%.mp4',
}
"""Lessons in which somebody speaks, unusual as they are, and their files."""

WORDLESS = {"silence": "silence.mp4", "music": "music.mp4"}


@dataclass(frozen=True)
class Course:
    folder: Path
    ran: Any
    """What `dub run --json` printed, and its exit code."""

    @property
    def targets(self) -> dict[str, dict[str, Any]]:
        return {target["lesson"]: target for target in self.ran.json["targets"]}

    def output(self, lesson: str) -> Path:
        return self.folder / "out/odd" / f"{lesson}.es{Path((SPOKEN | WORDLESS)[lesson]).suffix}"

    def record(self, lesson: str) -> dict[str, Any]:
        return json.loads((self.folder / "out/odd" / f"{lesson}.es.dub.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def odd(dub, tmp_path_factory) -> Course:
    """A course of one lesson for each kind of odd source, run once."""
    folder = tmp_path_factory.mktemp("odd")
    make_media(folder / "media")
    names = [*(f"{lesson}.mp4" for lesson in BROKEN), *SPOKEN.values(), *WORDLESS.values()]
    manifest = folder / "course.yaml"
    manifest.write_text(written("odd", names), encoding="utf-8")
    return Course(folder, dub("run", manifest, "--json"))


def test_one_bad_lesson_never_stops_another(odd):
    """Exit code 3; what cannot be dubbed is failed, all else is done, and every lesson is told of."""
    assert odd.ran.code == 3, odd.ran.err
    states = {lesson: target["state"] for lesson, target in odd.targets.items()}
    assert states == dict.fromkeys(BROKEN, "failed") | dict.fromkeys((*SPOKEN, *WORDLESS), "done")


@pytest.mark.parametrize("lesson", BROKEN)
def test_a_bad_source_is_named_with_its_mend(odd, lesson):
    """The message says which file, what is wrong with it, and what to do."""
    (problem,) = odd.targets[lesson]["problems"]
    wrong, mend = BROKEN[lesson]
    assert problem["stage"] == "split"
    assert str(odd.folder / "media" / wrong) in problem["message"]
    assert problem["message"].endswith(mend)


def test_a_check_finds_every_bad_source_by_its_line(odd, dub):
    """No lesson needs to fail first: `dub check` opens each media file."""
    checked = dub("check", odd.folder / "course.yaml", "--json")
    assert checked.code == 2, checked.err
    lines = (odd.folder / "course.yaml").read_text(encoding="utf-8").splitlines()
    found = {finding["line"]: finding["message"] for finding in checked.json["findings"]}
    assert {Path(lines[line - 1].rstrip('"')).stem for line in found} == set(BROKEN)
    for lesson in ("cut-index", "cut-sound", "text", "mute"):
        wrong, mend = BROKEN[lesson]
        assert any(wrong in message and message.endswith(mend) for message in found.values())


def test_a_plan_says_what_failed_last_time(odd, dub):
    """A lesson that is to be done again because it failed is told apart from one that nobody has begun."""
    planned = dub("plan", odd.folder / "course.yaml", "--json")
    assert planned.code == 0, planned.err
    why = {target["lesson"]: target["stages"]["split"].get("why", "") for target in planned.json["targets"]}
    assert why["mute"].startswith("failed last time: ")
    assert BROKEN["mute"][0] in why["mute"]
    assert why["good"] == ""


def test_a_run_with_failures_ends_with_the_command_that_resumes_it(odd):
    """The last line on stderr can be typed as it stands, and no traceback is anywhere."""
    last = f"When that is mended: dub rerun {odd.folder / 'course.yaml'} --failed"
    assert odd.ran.err.splitlines()[-1].endswith(last)
    assert "Traceback" not in odd.ran.err


def test_nothing_is_left_beside_the_finished_files(odd):
    """A video, its subtitles and its record for a finished lesson, nothing for a failed one, nothing hidden."""
    wanted = {odd.output(lesson).name for lesson in (*SPOKEN, *WORDLESS)}
    wanted |= {f"{lesson}.es{suffix}" for lesson in (*SPOKEN, *WORDLESS) for suffix in (".srt", ".dub.json")}
    # Matroska cannot hold credentials: they lie beside it.
    wanted |= {f"{name}.c2pa" for name in wanted if name.endswith((".mkv", ".webm"))}
    assert {path.name for path in (odd.folder / "out/odd").iterdir()} == wanted


@pytest.mark.parametrize("lesson", SPOKEN)
def test_an_odd_source_is_spoken_all_the_same(odd, lesson):
    """There is a line, the dub is loud where the record places it, and the file lasts as long as its source."""
    record, output = odd.record(lesson), odd.output(lesson)
    assert record["lines"]
    sound = default_track(output)
    for line in record["lines"]:
        start, end = (int(line["placed"][edge] * 16_000) for edge in ("start", "end"))
        assert level(sound[start:end]) > -40
    assert seconds(output) == pytest.approx(seconds(odd.folder / "media" / SPOKEN[lesson]), abs=0.1)


@pytest.mark.parametrize("lesson", WORDLESS)
def test_a_lesson_without_speech_is_done_with_its_own_sound(odd, lesson):
    """No lines, no problems, and the dubbed track sounds as the source does."""
    record = odd.record(lesson)
    assert (record["state"], record["lines"], record["problems"]) == ("done", [], [])
    before = default_track(odd.folder / "media" / WORDLESS[lesson])
    after = default_track(odd.output(lesson))
    assert level(after) == pytest.approx(level(before), abs=1)


@pytest.mark.parametrize("lesson", ["surround", "unnamed"])
def test_the_dub_of_surround_sound_is_surround_sound(odd, lesson):
    """Six channels stay six, and each has a name, whether the source's have (AC-3) or not (ffmpeg's AAC of them)."""
    default = next(stream for stream in streams(odd.output(lesson), "a") if stream["disposition"]["default"])
    assert (default["channel_layout"], default["tags"]["language"]) == ("5.1", "spa")


def test_the_track_in_the_source_language_is_the_one_that_is_dubbed(odd):
    """Of two tracks the first, in Spanish, speaks at once; the English one speaks from 3 s on."""
    record = odd.record("two-tracks")
    assert [round(line["source"]["start"]) for line in record["lines"]] == [3]
    tags = [stream["tags"]["language"] for stream in streams(odd.output("two-tracks"), "a")]
    assert tags == ["spa", "eng", "spa"]


def test_sound_that_starts_late_stays_late(odd):
    """The speech begins 2 s after the picture, in the source, in the record and in the dub."""
    (line, *_) = odd.record("late")["lines"]
    assert 2.0 <= line["source"]["start"] < 2.4
    sound = default_track(odd.output("late"))
    assert level(sound[: int(1.9 * 16_000)]) < -60


def test_a_turned_phone_video_stays_turned_and_keeps_its_uneven_pictures(odd):
    """The rotation and every picture's time stamp are the source's."""
    source, output = odd.folder / "media/phone.mp4", odd.output("phone")
    assert rotation(output) == rotation(source) == -90
    assert len({round(b - a, 3) for a, b in pairwise(times(source))}) > 1
    assert times(output) == pytest.approx(times(source), abs=0.001)


def test_an_unknown_language_blocks_its_target_and_no_other(odd, dub):
    """Exit code 4; the blocked target says which pairs there are, the other language is done."""
    manifest = odd.folder / "japanese.yaml"
    manifest.write_text(written("japanese", ["good.mp4"], targets="es, ja"), encoding="utf-8")
    ran = dub("run", manifest, "--json")
    assert ran.code == 4, ran.err
    spanish, japanese = ran.json["targets"]
    assert (spanish["state"], japanese["state"]) == ("done", "blocked")
    (problem,) = japanese["problems"]
    assert "no way from en to ja; from en there are: ca, " in problem["message"]
    planned = dub("plan", manifest, "--json")
    assert [target["state"] for target in planned.json["targets"]] == ["cached", "blocked"]


def test_an_output_folder_that_cannot_be_written_is_named(odd, dub):
    """The target fails with the folder and the mend; what was made for it is kept, and is all there for another one."""
    manifest = odd.folder / "sealed.yaml"
    manifest.write_text(written("sealed", ["good.mp4"]), encoding="utf-8")
    ran = dub("run", manifest, "--out", "/sys/dubbed", "--json")
    assert ran.code == 3, ran.err
    (problem,) = ran.json["targets"][0]["problems"]
    assert problem["message"].startswith("cannot write into /sys/dubbed/review/sealed: ")
    assert problem["message"].endswith("Make it writable, or choose another folder with --out.")
    steps = dub("plan", manifest, "--json").json["targets"][0]["stages"]
    assert [name for name, step in steps.items() if step["state"] != "cached"] == ["remux", "verify"]


def test_a_workspace_that_cannot_be_written_is_named(odd, dub):
    """Nothing is started; the message names the folder and the flag that mends it."""
    ran = dub("run", odd.folder / "course.yaml", "--workspace", "/sys/workspace")
    assert ran.code == 3
    assert ran.err.startswith("dub: cannot open the store /sys/workspace/store: ")
    assert "--workspace" in ran.err


def test_a_full_disk_leaves_no_half_file(odd, dub, tiny_disk):
    """Where the output has no room, the target fails and says so, and nothing is left behind."""
    manifest = odd.folder / "full.yaml"
    manifest.write_text(written("full", ["good.mp4"]), encoding="utf-8")
    ran, left = tiny_disk("40k", "run", manifest, "--out", tiny_disk.disk, "--json")
    assert ran.code == 3, ran.err
    (problem,) = ran.json["targets"][0]["problems"]
    assert str(tiny_disk.disk) in problem["message"]
    assert "Free some space" in problem["message"]
    assert left == []


@pytest.mark.parametrize("size", ["40k", "400k"])
def test_a_workspace_on_a_full_disk_is_named(odd, tiny_disk, size):
    """Whether the ledger or the store is what finds no room, the message names the folder, and it is no defect."""
    manifest = odd.folder / "full.yaml"
    manifest.write_text(written("full", ["good.mp4"]), encoding="utf-8")
    ran, _ = tiny_disk(size, "run", manifest, "--workspace", tiny_disk.disk, "--json")
    assert ran.code == 3, ran.err
    said = ran.out + ran.err
    assert str(tiny_disk.disk) in said
    assert "--workspace" in said
    assert "defect" not in said
    assert "Traceback" not in said


def test_what_failed_is_done_when_it_is_mended_and_nothing_else(odd, dub):
    """The missing file is put in its place: `rerun --failed` does the failed lessons and touches no finished one."""
    done = [odd.output(lesson) for lesson in (*SPOKEN, *WORDLESS)]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in done]
    shutil.copyfile(odd.folder / "media/telephone.mp4", odd.folder / "media/missing.mp4")
    ran = dub("rerun", odd.folder / "course.yaml", "--failed", "--json")
    assert ran.code == 3, ran.err
    states = {target["lesson"]: target["state"] for target in ran.json["targets"]}
    assert states == dict.fromkeys(BROKEN, "failed") | {"missing": "done"}
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in done] == before


GOOD = "course: small\nsource_language: en\ntargets: [es]\nlessons: [{media: a.mp4}]\n"

MISTAKES = {
    "an unknown key": (GOOD + "lesons: []\n", ["run"], "{manifest}:5: unknown key `lesons`; did you mean `lessons`?"),
    "a tab": (GOOD + "timing:\n\tsoft_max: 1.2\n", ["run"], "{manifest}:6: "),
    "a wrong type": (GOOD.replace("[es]", "7"), ["run"], "{manifest}:3: "),
    "a lesson that is not in the course": (None, ["run", "--only", "nonsense"], "dub: there is no lesson `nonsense`"),
    "a language that is not in the course": (None, ["run", "--only", "a:fr"], "dub: `fr` is not among the languages"),
    "a stage that does not exist": (None, ["run", "--force", "nonsense"], "dub: there is no stage 'nonsense'."),
    "a stage to begin with that does not exist": (None, ["rerun", "a", "--from", "x"], "dub: there is no stage 'x'."),
    "a profile that does not exist": (None, ["run", "--profile", "nonsense"], "dub: there is no profile 'nonsense'"),
    "a rerun of nothing": (None, ["rerun"], "dub: rerun needs either --failed or the lessons to do again."),
    "a rerun of everything and something": (None, ["rerun", "a", "--failed"], "dub: rerun needs either"),
    "a flag that does not exist": (None, ["run", "--nonsense"], "Usage: dub run"),
}
"""Mistake to the manifest (None for a good one), the command, and how its message begins."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_before_anything_is_started(dub, tmp_path, mistake):
    """Exit code 2, one message, and no workspace is made."""
    text, (command, *flags), begins = MISTAKES[mistake]
    manifest = tmp_path / "course.yaml"
    manifest.write_text(text or GOOD)
    ran = dub(command, manifest, *flags)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(begins.format(manifest=manifest))
    assert "Traceback" not in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["course.yaml"]


@pytest.mark.parametrize("command", ["run", "plan", "check", "status", "rerun"])
def test_a_manifest_that_is_not_there_is_named(dub, tmp_path, command):
    """Exit code 2 and the path, from every command that takes one."""
    ran = dub(command, tmp_path / "nothing.yaml", *(["--failed"] if command == "rerun" else []))
    assert ran.code == 2
    assert f"{tmp_path / 'nothing.yaml'}:1: there is no such file" in ran.err + ran.out
    assert list(tmp_path.iterdir()) == []


class TinyDisk:
    """Runs `dub` with a disk of a few kilobytes mounted for it alone, in a name space of its own."""

    def __init__(self, dub: Any, folder: Path) -> None:
        self._dub = dub
        self.disk = folder / "disk"
        self.disk.mkdir()

    def __call__(self, size: str, *arguments: object) -> tuple[Any, list[str]]:
        """What `dub` printed, and the files that it left on the disk."""
        left = self.disk.with_name("left")
        script = (
            'size=$1 disk=$2 left=$3; shift 3; mount -t tmpfs -o "size=$size" none "$disk" && "$@"; code=$?; '
            'find "$disk" -type f > "$left"; exit $code'
        )
        inside = ("unshare", "-rm", "sh", "-c", script, "sh", size, str(self.disk), str(left))
        ran = self._dub(*arguments, before=inside)
        return ran, left.read_text().splitlines()


@pytest.fixture
def tiny_disk(dub, tmp_path) -> TinyDisk:
    """Skips where neither root nor user name spaces are at hand."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted: neither root nor user name spaces")
    return TinyDisk(dub, tmp_path)


def written(course: str, media: list[str], targets: str = "es") -> str:
    """A manifest; names are quoted as JSON, which YAML reads too."""
    lessons = "".join(f"  - media: {json.dumps(f'media/{name}', ensure_ascii=False)}\n" for name in media)
    return f"course: {course}\nsource_language: en\ntargets: [{targets}]\nlessons:\n{lessons}"


def make_media(folder: Path) -> None:
    """Write every source: speech of 3 s by flite, drawn pictures, and what is wrong with each."""
    folder.mkdir()
    english, spanish, short = folder / "english.wav", folder / "spanish.wav", folder / "short.wav"
    run("flite", "-voice", "slt", "-t", SAID, "-o", str(english))
    run("flite", "-voice", "slt", "-t", "Good morning.", "-o", str(short))
    run("espeak-ng", "-v", "es", "-w", str(spanish), "Buenos días a todos.")
    speech = ("-i", str(english))
    padded = ("-af", "aresample=48000,adelay=500:all=1,apad=whole_dur=4.5", "-t", "4.5")
    tagged = ("-metadata:s:a:0", "language=eng")

    def make(name: str, *arguments: str) -> None:
        run("ffmpeg", "-v", "error", "-nostdin", "-y", *arguments, f"file:{folder / name}")

    make("good.mp4", *PICTURE, *speech, *H264, *padded, *tagged)
    whole = (folder / "good.mp4").read_bytes()
    for name in ("-dash.mp4", SPOKEN['it\'s  "un été" [1] 100%']):
        (folder / name).write_bytes(whole)
    (folder / "cut-index.mp4").write_bytes(whole[: len(whole) // 2])
    make("fast.mp4", "-i", str(folder / "good.mp4"), "-c", "copy", "-movflags", "+faststart")
    whole = (folder / "fast.mp4").read_bytes()
    (folder / "cut-sound.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video")
    make("mute.mp4", *PICTURE, *H264, "-t", "3")
    make("silence.mp4", *PICTURE, "-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", *H264, "-t", "30")
    make("blink.mp4", *PICTURE, "-i", str(short), *H264, "-af", "adelay=400:all=1,apad=whole_dur=2", "-t", "2")
    chords = "0.1*(sin(2*PI*262*t)+sin(2*PI*330*t)+sin(2*PI*392*t))*exp(-3*mod(t\\,0.5))"
    make("music.mp4", *PICTURE, "-f", "lavfi", "-i", f"aevalsrc={chords}:s=48000", *H264, "-t", "6")
    surround = "pan=5.1|FL=0.3*c0|FR=0.3*c0|FC=c0|LFE=0*c0|BL=0.1*c0|BR=0.1*c0"
    make(
        "surround.mkv", *PICTURE, *speech, *H264, "-c:a", "ac3", "-t", "4.5", *tagged,
        "-af", f"{padded[1]},{surround}",
    )  # fmt: skip
    make("unnamed.mkv", "-i", str(folder / "surround.mkv"), "-c:v", "copy", "-c:a", "aac", *tagged)
    make("telephone.mp4", *PICTURE, *speech, *H264, *padded, "-ar", "8000", "-ac", "1", "-b:a", "24k")
    make("upright.mp4", *PICTURE, *speech, *H264, *padded, "-vf", "select='not(mod(n,3))+gt(mod(n,7),4)'",
         "-vsync", "vfr")  # fmt: skip
    (folder / "phone.mp4").write_bytes(turned((folder / "upright.mp4").read_bytes()))
    make("late.mkv", *PICTURE, "-itsoffset", "2", *speech, *H264, "-t", "6", *tagged)
    both = "[1]aresample=48000,apad=whole_dur=7[a];[2]aresample=48000,adelay=3000:all=1,apad=whole_dur=7[b]"
    make(
        "two-tracks.mkv", *PICTURE, "-i", str(spanish), *speech, "-filter_complex", both, *H264, "-t", "7",
        "-map", "0:v", "-map", "[a]", "-map", "[b]",
        "-metadata:s:a:0", "language=spa", "-metadata:s:a:1", "language=eng",
    )  # fmt: skip


def turned(film: bytes) -> bytes:
    """An mp4 whose first track, the picture, is shown a quarter turn to the right (ISO/IEC 14496-12, 8.3.2)."""
    header = film.index(b"tkhd") + 4
    matrix = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 90 << 16, 0, 0x40000000)
    return film[: header + 40] + matrix + film[header + 40 + len(matrix) :]


def run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True, timeout=120).stdout


def probed(path: Path, *what: str) -> Any:
    return json.loads(run("ffprobe", "-v", "error", *what, "-of", "json", f"file:{path}"))


def streams(path: Path, kind: str) -> list[dict[str, Any]]:
    return probed(path, "-show_streams", "-select_streams", kind)["streams"]


def seconds(path: Path) -> float:
    return float(probed(path, "-show_format")["format"]["duration"])


def rotation(path: Path) -> int:
    (picture,) = streams(path, "v")
    return picture["side_data_list"][0]["rotation"]


def times(path: Path) -> list[float]:
    """When each picture is shown, in seconds."""
    packets = probed(path, "-select_streams", "v", "-show_entries", "packet=pts_time")["packets"]
    return sorted(float(packet["pts_time"]) for packet in packets)


def default_track(path: Path) -> Any:
    """The default audio track as a player hears it: mono at 16 kHz, from the programme's first instant."""
    tracks = streams(path, "a")
    default = next((index for index, stream in enumerate(tracks) if stream["disposition"]["default"]), 0)
    late = ("-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "16000")
    heard = run("ffmpeg", "-v", "error", "-i", f"file:{path}", "-map", f"0:a:{default}", *late, "-f", "s16le", "-")
    return np.frombuffer(heard, "<i2").astype(np.float64) / 32768


def level(sound: Any) -> float:
    """In dBFS."""
    return float(10 * np.log10(np.mean(sound**2) + 1e-12))
