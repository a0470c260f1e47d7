"""The speech source: a worker process with libespeak-ng in it, which never outlives its use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from manifests.errors import EngineUnavailable, StageFailed
from voiceclone.cloner.reading import read
from voiceclone.cloner.speech_source import SpeechSource, plain


@pytest.fixture(scope="module")
def source() -> Iterator[SpeechSource]:
    with SpeechSource() as made:
        yield made


def gone(pid: int, within_s: float = 5.0) -> bool:
    """Whether a process ends, or is but a zombie, within some seconds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_text_comes_back_as_sound_with_the_time_of_each_phoneme_and_word(source: SpeechSource) -> None:
    """Words say where in the text they stand; phonemes are in IPA and in order."""
    said = source.say("Blue sky, done.", "en-us", 175)
    assert said.rate == 22050
    assert 0.5 < len(said.audio) / said.rate < 3
    assert 0.1 < np.abs(said.audio).max() <= 1
    assert [place[1:] for place in said.words] == [(0, 4), (5, 3), (10, 4)]
    assert "".join(ipa for _, ipa in said.phones).startswith("bluː")
    starts = [sample for sample, _ in said.phones]
    assert starts == sorted(starts)
    assert starts[-1] <= len(said.audio)


def test_the_same_text_sounds_the_same_each_time(source: SpeechSource) -> None:
    """Nothing of one request is left in the next."""
    first = source.say("Once upon a time.", "en-us", 150)
    source.say("Había una vez.", "es", 220)
    again = source.say("Once upon a time.", "en-us", 150)
    assert np.array_equal(first.audio, again.audio)
    assert first.phones == again.phones


def test_libespeak_is_never_loaded_into_this_process(source: SpeechSource) -> None:
    """It is GPL-3: only the worker may hold it."""
    source.say("Here?", "en-us", 175)
    assert "espeak" not in Path("/proc/self/maps").read_text()
    assert "libespeak-ng" in Path(f"/proc/{source.pid}/maps").read_text()


def test_the_worker_is_gone_after_close_and_starts_again_when_needed() -> None:
    """A closed source leaves no process behind, and is not broken."""
    source = SpeechSource()
    source.say("One.", "en-us", 175)
    first = source.pid
    assert first is not None
    source.close()
    assert source.pid is None
    assert gone(first)
    source.say("Two.", "en-us", 175)
    assert source.pid not in (None, first)
    source.close()


def test_the_worker_dies_with_a_parent_that_is_killed() -> None:
    """Even one that had no chance to close it."""
    code = (
        "import time\n"
        "from voiceclone.cloner.speech_source import SpeechSource\n"
        "source = SpeechSource()\n"
        "source.say('One.', 'en-us', 175)\n"
        "print(source.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": root}
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        parent.kill()
        parent.wait(timeout=10)
    assert gone(worker)


def test_a_worker_that_died_is_replaced(source: SpeechSource) -> None:
    """A killed worker costs a restart, not the lesson."""
    source.say("One.", "en-us", 175)
    before = source.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    assert len(source.say("Two.", "en-us", 175).audio)
    assert source.pid != before


def test_a_worker_that_does_not_answer_is_ended() -> None:
    """A stopped worker raises after its time, and is not waited for again."""
    with SpeechSource(timeout_s=0.5) as source:
        source.languages()
        stuck = source.pid
        assert stuck is not None
        os.kill(stuck, signal.SIGSTOP)
        with pytest.raises(StageFailed, match=r"did not answer within 0\.5 s"):
            source.say("Hello.", "en-us", 175)
        assert gone(stuck)


def test_a_voice_that_there_is_none_of_is_refused(source: SpeechSource) -> None:
    """espeak-ng would read on in whatever language it read last."""
    with pytest.raises(EngineUnavailable, match="no voice tlh-x"):
        source.say("Hello.", "tlh-x", 175)
    with pytest.raises(EngineUnavailable, match="no voice for zz"):
        source.voice_of("zz")


@pytest.mark.parametrize(
    ("tag", "voice"),
    [("es", "es"), ("es-MX", "es-419"), ("es-ES", "es"), ("pt-BR", "pt-br"), ("en", "en-us"), ("de-AT", "de")],
)
def test_a_language_is_read_by_its_nearest_voice(source: SpeechSource, tag: str, voice: str) -> None:
    """The region's voice where there is one."""
    assert source.voice_of(tag) == voice


def test_every_language_that_is_listed_is_spoken(source: SpeechSource) -> None:
    """Those too that a voice of another name speaks, and each differently from English."""
    english = source.say("Paris 8, Lisboa 9.", "en-us", 175).phones
    for tag in ("fr-FR", "pt-PT", "no", "zh-CN", "hy"):
        said = source.say("Paris 8, Lisboa 9.", source.voice_of(tag), 175)
        assert said.phones != english, tag
    named = "".join(ipa for _, ipa in source.say("quatre-vingts", source.voice_of("fr-FR"), 175).phones)
    assert named.startswith("katʁ")
    spoken = source.languages()
    assert {"fr-fr", "pt-pt", "en-gb", "zh"} <= set(spoken)
    for voice in spoken:
        assert len(source.say("a", voice, 400).audio), voice


def test_nothing_in_a_text_is_a_command(source: SpeechSource) -> None:
    """A control code would change the voice, double brackets would be phonemes; places in the text still hold."""
    text = "one \x0145S [[h@l'oU]] two"
    assert plain(text) == "one  45S   h@l'oU   two"
    assert len(read(source, "one\x01two", "en-us", 175).words) == 2


def test_a_text_without_a_sound_is_an_error(source: SpeechSource) -> None:
    """Silence is never taken for speech."""
    with pytest.raises(StageFailed, match="gave no sound"):
        source.say("", "en-us", 175)
