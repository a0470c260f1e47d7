"""The voice that is trained from a person's enrolment: once for a target language, whatever the number of lessons."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from manifests.errors import InputError
from manifests.script import Diarization, Speaker, Turn
from manifests.spans import RATE, Span, merged
from tasks import own_voice
from tasks.stage import Workbench, digest
from voiceclone.enrolment import Enrolment
from voiceclone.enrolments import Enrolments

if TYPE_CHECKING:
    from voiceclone.cloner.clips import Clip
    from voiceclone.quality import Recording

_LABEL = "SPEAKER_00"


def learned(
    voices: Enrolments, enrolment: Enrolment, target: str, bench: Workbench, still: Callable[[], object]
) -> str:
    """Name of the store object that holds the voice.

    `still` raises where the person no longer agrees. Raises as `trained` does.
    """
    key = digest({"version": own_voice.VERSION, "enrolment": enrolment.digest, "languages": target})

    def make(folder: Path) -> Path:
        return Path(shutil.copyfile(trained(voices, enrolment, target, bench.cores, still), folder / "v.safetensors"))

    name = bench.store.made("voice", key, make, people=(enrolment.person,)).name
    own_voice.keep_print(name, enrolment.person, lambda: voices.voice_print(enrolment.person), bench)
    return name


def trained(
    voices: Enrolments, enrolment: Enrolment, target: str, cores: int, still: Callable[[], object] = lambda: None
) -> Path:
    """The file of the person's voice for a language: as it was trained before, or trained now and kept beside the
    enrolment.

    Raises InputError where it is too poor, or nobody knows what is said in it, EngineUnavailable where the recognizer
    does not understand its language, StoreError where it cannot be relied on or written.
    """
    from voiceclone.cloner.training import train

    if not enrolment.speaks:
        raise InputError(
            f"the enrolment of {enrolment.person} is too poor to make a voice of.",
            remedy=f"Enrol better recordings: dub voices enrol {enrolment.person} FILE... --consent ID",
        )
    with voices.trained(enrolment, target, own_voice.VERSION) as path:
        if not path.exists():
            if enrolment.language is None:
                raise InputError(
                    f"it is not known which language {enrolment.person} speaks in the recordings.",
                    remedy=f"Enrol again with --language: dub voices enrol {enrolment.person} … --language en",
                )
            spoken = voices.recordings(enrolment.person)
            heard = [clip for each in spoken for clip in clips(each, enrolment.language, cores)]
            if not heard:
                raise InputError(f"no words were recognized in the recordings of {enrolment.person}.")
            voice = train(heard, enrolment.language, target, threads=cores)
            still()
            voice.save(path)
        return path


def clips(recording: Recording, language: str, cores: int) -> list[Clip]:
    """A recording's utterances and their words: as they are known, else as the recognizer hears them.

    Raises EngineUnavailable for a language that it does not understand.
    """
    from voiceclone.cloner.clips import LONGEST_CLIP_S, Clip

    if recording.text and len(recording.samples) <= LONGEST_CLIP_S * recording.rate:
        return [Clip(recording.samples, recording.rate, recording.text)]

    import soundfile

    from tasks.engines import catalogue
    from tasks.engines.protocols import Hearing
    from tasks.transcribe import transcribe
    from voiceclone import speech, voiceprint

    wanted = Hearing(language, "pocketsphinx")
    catalogue.transcriber(wanted.engine).check(wanted)
    heard = voiceprint.resampled(recording.samples, recording.rate)
    step = RATE // voiceprint.RATE
    runs = merged((Span(start * step, end * step) for start, end in speech.speaking(heard).tolist()), gap=RATE // 2)
    found = Diarization((Speaker(_LABEL, None, 0.0),), tuple(Turn(_LABEL, run) for run in runs), runs)
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        path = Path(folder) / "speech.wav"
        soundfile.write(str(path), heard, voiceprint.RATE, subtype="PCM_16")
        script = transcribe(path, found, wanted, cores=cores)
    return [
        Clip(
            recording.samples[_at(each.span.start, recording.rate) : _at(each.span.end, recording.rate)],
            recording.rate,
            each.text,
        )
        for each in script.utterances
        if each.text
    ]


def _at(tick: int, rate: int) -> int:
    return tick * rate // RATE
