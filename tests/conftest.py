"""Real media for all tests, made by ffmpeg and by voices that belong to nobody (flite's and espeak-ng's), and the tiny
models of the engines that need weights."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
from filelock import FileLock

from manifests.quiet import settle
from tasks.engines.listening_models import ALIGNERS, COMMUNITY, WHISPERS
from tasks.engines.qwen3_tts import MODELS
from tests.services import LACKING, POSTGRES, Postgres
from tiny import aligner, argos, community, detector, pocket, qwen3, whisper
from tiny.speech import Reader
from voiceclone.threads import torch_threads


@pytest.fixture(scope="session", autouse=True)
def keys_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own keys and consents, nor signs with a configured chain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUB_KEYS", str(tmp_path_factory.mktemp("keys") / "keys"))
        patch.setenv("DUB_CONSENT", str(tmp_path_factory.mktemp("consents") / "consent"))
        shared = ("DUB_STORE", "DUB_LEDGER", "DUB_LEDGER_FILE", "DUB_VOICES")
        for name in ("DUB_SIGNING_CHAIN", "DUB_SIGNING_KEY", "DUB_MODELS", *shared):
            patch.delenv(name, raising=False)
        yield


def ffmpeg(*arguments: str) -> None:
    """Run ffmpeg on one core, quietly."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", "1", *arguments]
    subprocess.run(command, check=True, timeout=120)


@dataclass(frozen=True)
class Sentence:
    """What is said in the lecture, by whom (`amara` is flite's slt, `ben` espeak-ng's en-us), from when to when."""

    speaker: str
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Lecture:
    path: Path
    duration_s: float
    sentences: tuple[Sentence, ...]


SAID = (
    ("amara", "Welcome to the second lesson of this course."),
    ("amara", "Plants turn the light of the sun into energy."),
    ("ben", "Where in the plant does that happen?"),
    ("amara", "It happens in the green leaves."),
)
PAUSE_S = 0.7


@pytest.fixture(scope="session")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Lecture:
    """A lecture of about 12 s: two speakers, pauses of 0.7 s, two slides; mp4, H.264, stereo AAC tagged English."""
    folder = tmp_path_factory.mktemp("lecture")
    sentences: list[Sentence] = []
    inputs: list[str] = []
    graph: list[str] = []
    at = PAUSE_S
    for number, (speaker, text) in enumerate(SAID):
        clip = folder / f"{number}.wav"
        if speaker == "amara":
            command = ["flite", "-voice", "slt", "-t", text, "-o", str(clip)]
        else:
            command = ["espeak-ng", "-v", "en-us", "-s", "150", "-w", str(clip), text]
        subprocess.run(command, check=True, timeout=60)
        length = wav_seconds(clip)
        sentences.append(Sentence(speaker, text, at, at + length))
        inputs += ["-i", str(clip)]
        delay = f"adelay={round(at * 48000)}S:all=1"
        graph.append(f"[{number}]aresample=48000,aformat=channel_layouts=stereo,{delay}[a{number}]")
        at += length + PAUSE_S
    joined = "".join(f"[a{number}]" for number in range(len(SAID)))
    graph.append(f"{joined}amix=inputs={len(SAID)}:normalize=0:duration=longest,apad=whole_dur={at:.6f}[sound]")
    half = at / 2
    graph.append(f"color=c=0x20374c:s=320x180:r=25:d={half:.3f}[s0];color=c=0x3b2a4a:s=320x180:r=25:d={half:.3f}[s1]")
    graph.append("[s0][s1]concat=n=2:v=1:a=0[picture]")
    path = folder / "lecture.mp4"
    ffmpeg(
        *inputs, "-filter_complex", ";".join(graph), "-map", "[picture]", "-map", "[sound]", "-t", f"{at:.6f}",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k",
        "-metadata:s:a:0", "language=eng", "-metadata", "title=Lesson two", str(path),
    )  # fmt: skip
    return Lecture(path, at, tuple(sentences))


def wav_seconds(path: Path) -> float:
    """Length of a sound file."""
    import soundfile

    return soundfile.info(str(path)).duration


@pytest.fixture
def make_media(tmp_path: Path) -> Callable[..., Path]:
    """Make a media file in the test's folder: its name, then ffmpeg's arguments up to the output."""

    def make(name: str, *arguments: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        ffmpeg(*arguments, f"file:{path}")
        return path

    return make


@pytest.fixture(scope="session")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stereo, 4 s at 48 kHz, silent but for one sample at 0.25 s, at 2 s and at 3.75 s: what is decoded back at another
    sample has moved."""
    path = tmp_path_factory.mktemp("clicks") / "clicks.wav"
    source = "aevalsrc='if(eq(n,12000)+eq(n,96000)+eq(n,180000),0.9,0)':s=48000:d=4:c=mono"
    ffmpeg("-f", "lavfi", "-i", source, "-ac", "2", "-af", "pan=stereo|c0=c0|c1=c0", str(path))
    return path


@pytest.fixture
def click_times() -> Callable[..., list[int]]:
    """Where an audio stream of a file has its clicks, as a player hears it, in samples at 48 kHz from the start."""
    import numpy as np

    def times(path: Path, stream: str = "a:0") -> list[int]:
        decoded = subprocess.run(
            ["ffmpeg", "-v", "error", "-nostdin", "-i", f"file:{path}", "-map", f"0:{stream}",
             "-af", "aresample=48000:async=1:first_pts=0", "-ac", "1", "-f", "f32le", "-"],
            check=True, capture_output=True, timeout=60,
        ).stdout  # fmt: skip
        sound = np.abs(np.frombuffer(decoded, np.float32))
        found: list[int] = []
        while sound.size and sound.max() > 0.1:
            at = int(sound.argmax())
            found.append(at)
            sound = sound.copy()
            sound[max(0, at - 4800) : at + 4800] = 0
        return sorted(found)

    return times


PICTURE = ("-f", "lavfi", "-i", "testsrc=s=160x90:r=25:d=4")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="session")
def click_videos(tmp_path_factory: pytest.TempPathFactory, clicks: Path) -> Callable[..., Path]:
    """Make a video of 4 s with the clicks as its sound, once for all tests that want the same."""
    folder = tmp_path_factory.mktemp("click_videos")

    @lru_cache
    def made(suffix: str, *arguments: str) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}{suffix}"
        codecs = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8") if suffix == ".webm" else H264
        ffmpeg(*PICTURE, "-i", str(clicks), "-map", "0:v", "-map", "1:a", *codecs, *arguments, str(path))
        return path

    return made


@pytest.fixture
def click_video(tmp_path: Path, click_videos: Callable[..., Path]) -> Callable[..., Path]:
    """A video of 4 s with the clicks as its sound: its name, then further ffmpeg arguments for the output."""

    def copied(name: str, *arguments: str) -> Path:
        path = tmp_path / name
        shutil.copyfile(click_videos(path.suffix, *arguments), path)
        return path

    return copied


class Wire:
    """A way to a port of this machine that drops every connection while it is cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._cut = threading.Event()
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.dropped = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._cut.set()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._cut.clear()

    def close(self) -> None:
        self.cut()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self._cut.is_set():
                    self.dropped += 1
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open |= {near, far}
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for each in (source, sink):
            self._open.discard(each)
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@dataclass(frozen=True)
class S3:
    """An S3 server on loopback."""

    port: int
    environment: dict[str, str]
    """What a process needs to reach it."""


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """moto's S3 as a server, with the bucket `dub`; a test takes a prefix of its own."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    import boto3

    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], **keys).create_bucket(Bucket="dub")
    yield S3(port, environment)
    server.stop()


@pytest.fixture
def wire(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A way to the S3 server that can be cut, set in this process's environment."""
    made = Wire(s3.port)
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{made.port}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, natively started; skipped where the package is missing (`infra/bootstrap.sh --tests`)."""
    if POSTGRES is None:
        pytest.skip(LACKING)
    server = Postgres()
    server.start()
    yield server
    server.close()


Made = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make a folder by its name: once, for all processes that run these tests side by side."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny"
    shared.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder = shared / name
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                draft = shared / f"{name}.draft"
                shutil.rmtree(draft, ignore_errors=True)
                with torch_threads(1):  # so small networks gain nothing from more, and lose much where others work
                    make(draft)
                draft.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    settle()
    return Reader(tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="session")
def listening_models(made_once: Made, reader: Reader) -> Path:
    """A folder of models for whisperx (in English) and for pyannote-community-1."""

    def make(folder: Path) -> None:
        whisper.make(reader, folder / WHISPERS[0].name)
        aligner.make(reader, folder / ALIGNERS[0].name)
        community.make(folder / COMMUNITY.name)

    return made_once("listening", make)


@pytest.fixture(scope="session")
def detecting_models(made_once: Made, reader: Reader, listening_models: Path) -> Path:
    """The same folder with a Whisper, `detector`, that tells English from Spanish."""

    def make(folder: Path) -> None:
        folder.mkdir()
        for model in listening_models.iterdir():
            (folder / model.name).symlink_to(model)
        detector.make(reader, folder / "detector")

    return made_once("detecting", make)


@pytest.fixture(scope="session")
def argos_packages(made_once: Made) -> dict[str, Path]:
    """The packages of Argos, by the languages that they connect."""

    def make(folder: Path) -> None:
        argos.packed(argos.SPANISH, "en", "es", folder / "en_es")
        argos.packed(argos.PORTUGUESE, "es", "pt", folder / "es_pt")

    folder = made_once("argos", make)
    return {pair: next((folder / pair).glob("*.argosmodel")) for pair in ("en_es", "es_pt")}


@pytest.fixture(scope="session")
def qwen3_models(made_once: Made) -> Path:
    """A folder of models with Qwen3-TTS in it, as `tiny-qwen3`."""
    return made_once("qwen3", lambda folder: qwen3.make(folder / "tiny-qwen3"))


@pytest.fixture(scope="session")
def pocket_models(made_once: Made) -> Path:
    """A folder of models with pocket-tts for Spanish in it."""
    return made_once("pocket", pocket.make)


@pytest.fixture(scope="session")
def studio_models(
    made_once: Made,
    listening_models: Path,
    argos_packages: dict[str, Path],
    qwen3_models: Path,
    pocket_models: Path,
) -> Path:
    """The folder that DUB_MODELS names where everything is there, from English to Spanish."""

    def make(folder: Path) -> None:
        folder.mkdir()
        for model in (*listening_models.iterdir(), *pocket_models.iterdir()):
            (folder / model.name).symlink_to(model)
        (folder / MODELS[0].name).symlink_to(qwen3_models / "tiny-qwen3")
        (folder / "argos").mkdir()
        shutil.copy(argos_packages["en_es"], folder / "argos")

    return made_once("studio", make)
