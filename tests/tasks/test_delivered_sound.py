"""The finished file as it is decoded: its loudness and true peaks after every lossy encoding that we deliver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from numpy.typing import NDArray

from manifests.script import Diarization, Script, Utterance, Voice
from manifests.spans import RATE, Span, samples
from manifests.timeline import Placement, Take, Takes, Timeline
from tasks.engines.espeak import speak
from tasks.headroom import headroom_of
from tasks.mix import mix
from tasks.mixing_desk import Options, Parts
from tasks.process import run_program
from tasks.remux import remux
from tasks.split import split
from tasks.tracks import Dub

SPANS = (Span.of_seconds(0.5, 3), Span.of_seconds(3.6, 6.1))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    """Two and a half seconds of espeak-ng's Spanish."""
    text = "La fotosíntesis convierte la luz del sol en energía química."
    path = speak(text, "es+m3", 50, tmp_path_factory.mktemp("take") / "take.flac")
    return np.asarray(soundfile.read(path)[0], np.float32)[: SPANS[0].length]


def oversampled_peak(sound: NDArray[np.float32]) -> float:
    """dBTP, by zeros put into the spectrum: four times as many samples."""
    highest = 0.0
    for channel in sound.T:
        spectrum = np.fft.rfft(channel)
        finer = np.fft.irfft(np.concatenate([spectrum, np.zeros(3 * len(channel) // 2)]), 4 * (len(channel) // 2 * 2))
        highest = max(highest, float(np.abs(finer).max() * 4))
    return 20 * float(np.log10(highest))


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "channels", "loudness"),
    [
        ("m4a", "aac", "64k", 1, "web"),
        ("m4a", "aac", "128k", 2, "web"),
        ("webm", "libopus", "64k", 1, "web"),
        ("webm", "libopus", "128k", 2, "ebu"),
        ("mp3", "libmp3lame", "128k", 2, "web"),
        ("flac", "flac", "0", 2, "netflix"),
    ],
)
def test_loudness_and_true_peak_hold_after_encoding(
    suffix: str, codec: str, rate: str, channels: int, loudness: str, said: NDArray[np.float32], tmp_path: Path
) -> None:
    """Within half a unit of the profile and at or under its true peak, in the file that is delivered."""
    wanted, limit = {"web": (-16, -1), "ebu": (-23, -1), "netflix": (-27, -2)}[loudness]
    sound = np.random.default_rng(0).standard_normal((samples(6.5), channels)).astype(np.float32) * 0.0005
    for span in SPANS:
        sound[span.start : span.end] += said[:, np.newaxis]
    soundfile.write(tmp_path / "source.wav", sound, RATE, subtype="PCM_24")
    source = tmp_path / f"source.{suffix}"
    run_program(
        ["ffmpeg", "-v", "error", "-i", str(tmp_path / "source.wav"), "-c:a", codec, "-b:a", rate, str(source)], 60
    )
    parts = split(source, tmp_path, source_language="en")
    soundfile.write(tmp_path / "take.wav", said, RATE, subtype="PCM_24")
    utterances = tuple(Utterance(str(n), "SPEAKER_00", span, "words", (), 1.0) for n, span in enumerate(SPANS))
    voice = Voice("stock", "espeak-ng", "es")
    made = mix(
        Parts(
            parts.programme,
            Diarization((), (), SPANS),
            Script("en", utterances),
            Takes("es", tuple(Take(u.id, "take.wav", samples(2.5), samples(2.5), 1.0, voice) for u in utterances)),
            Timeline("es", parts.media.duration, tuple(Placement(u.id, u.span, 1.0) for u in utterances)),
            lambda take: tmp_path / take.audio,
        ),
        Options(
            loudness=loudness,  # type: ignore[arg-type]  # one of the names above
            headroom=headroom_of(parts.media, "source"),
            marked=False,
        ),
        tmp_path / "dub.flac",
        tmp_path,
    )
    delivery = remux(source, parts.media, [Dub("es", tmp_path / "dub.flac", ())], tmp_path / "out", tmp_path)
    track = 0 if suffix in ("mp3", "flac") else 1
    heard = ["-map", f"0:a:{track}", "-ar", str(RATE), "-c:a", "pcm_f32le", str(tmp_path / "decoded.wav")]
    run_program(["ffmpeg", "-v", "error", "-i", delivery.path, *heard], 60)
    decoded = np.asarray(soundfile.read(tmp_path / "decoded.wav", always_2d=True)[0], np.float32)
    assert made.target_lufs == wanted
    if loudness == "netflix":
        lines = np.concatenate([decoded[span.start : span.end] for span in SPANS])
        assert pyloudnorm.Meter(RATE).integrated_loudness(lines) == pytest.approx(
            wanted, abs=1
        )  # which hears pauses too
    else:
        assert pyloudnorm.Meter(RATE).integrated_loudness(decoded) == pytest.approx(wanted, abs=0.5)
    assert oversampled_peak(decoded) <= limit
