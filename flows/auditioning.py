"""`dub voices audition`: hear a sentence in an enrolled person's voice, under their consent and with the watermark."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from flows.standing import BLOCKED, DONE
from flows.voicing import enrolments
from manifests.errors import ConsentRefused, InputError, StoreError
from voiceclone.enrolment import Enrolment, Enrolments, language_tag_or_fault, permitted
from voiceclone.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voiceclone.cloner.training import Clip
    from voiceclone.cloner.voice import TrainedVoice
    from voiceclone.quality import Recording

LONGEST_TEXT = 500
"""Characters: an audition is a sentence or two."""


def audition_voice(
    person: str, *, text: str, language: str, out: Path | None, workspace: Path | None, json_wanted: bool
) -> NoReturn:
    """Write a WAV of the person saying a text. Exits 2 where that cannot be, 4 without consent for the language."""
    tag = language_tag_or_fault(language)
    if not 0 < len(text.strip()) <= LONGEST_TEXT:
        raise InputError(f"the text has {len(text.strip())} characters.", remedy=f"Give 1 to {LONGEST_TEXT}.")
    path = (out or Path(f"{person}.{tag}.wav")).expanduser().absolute()
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is not a folder.", remedy="Make it, or choose another with --out.")
    voices, registry = enrolments(workspace), Registry.default()
    enrolment = voices.get(person)
    try:
        permitted(registry, enrolment.consent, person, language=tag)
        trained = _trained(voices, enrolment, tag)

        from voiceclone import watermark
        from voiceclone.cloner.engine import AdaptiveCloner, Saying

        # Training may take longer than a grant is good for, so the registry is asked again for the speaking.
        grant = permitted(registry, enrolment.consent, person, language=tag)
        with AdaptiveCloner(registry, lambda person, language: trained) as engine:
            [said] = engine.synthesize(grant, [Saying(text)], person=person, language=tag)
    except ConsentRefused as refusal:
        remedy = f" {refusal.remedy}" if refusal.remedy else ""
        sys.stderr.write(f"dub: {refusal.message.rstrip('.')}.{remedy}\n")
        raise typer.Exit(BLOCKED) from refusal
    sound = watermark.mark(said.audio, said.rate)
    _write(path, sound, said.rate)
    if json_wanted:
        facts = {"person": person, "language": tag, "consent": enrolment.consent, "path": str(path)}
        facts |= {"seconds": round(len(sound) / said.rate, 3), "voice": said.digest}
        sys.stdout.write(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{path}\n")
    raise typer.Exit(DONE)


def _trained(voices: Enrolments, enrolment: Enrolment, language: str) -> TrainedVoice:
    """The person's voice for a language: as it was trained before, or trained now and kept beside the enrolment."""
    from voiceclone.cloner.training import train
    from voiceclone.cloner.voice import TrainedVoice

    path = voices.trained(enrolment, language)
    if path.exists():
        return TrainedVoice.load(path)
    if enrolment.language is None:
        raise InputError(
            f"it is not known which language {enrolment.person} speaks in the recordings.",
            remedy=f"Enrol again with --language: dub voices enrol {enrolment.person} … --language en",
        )
    heard = [clip for each in voices.recordings(enrolment.person) for clip in _clips(each, enrolment.language)]
    if not heard:
        raise InputError(f"no words were recognized in the recordings of {enrolment.person}.")
    voice = train(heard, enrolment.language, language)
    voice.save(path)
    return voice


def _clips(recording: Recording, language: str) -> list[Clip]:
    """A recording's utterances and their words: as they are known, else as the recognizer hears them.

    Raises EngineUnavailable for a language that it does not understand.
    """
    from voiceclone.cloner.training import LONGEST_CLIP_S, Clip

    if recording.text and len(recording.samples) <= LONGEST_CLIP_S * recording.rate:
        return [Clip(recording.samples, recording.rate, recording.text)]

    import soundfile

    from manifests.script import Diarization, Speaker, Turn
    from manifests.spans import RATE, Span, merged
    from tasks.transcribe import Params, require, transcribe
    from voiceclone import speech, voiceprint

    wanted = Params(language=language, engine="pocketsphinx")
    require(wanted)
    heard = voiceprint.resampled(recording.samples, recording.rate)
    step = RATE // voiceprint.RATE
    runs = merged((Span(start * step, end * step) for start, end in speech.speaking(heard).tolist()), gap=RATE // 2)
    label = "SPEAKER_00"
    found = Diarization((Speaker(label, None, 0.0),), tuple(Turn(label, run) for run in runs), runs)
    with tempfile.TemporaryDirectory(prefix="dub-") as folder:
        path = Path(folder) / "speech.wav"
        soundfile.write(str(path), heard, voiceprint.RATE, subtype="PCM_16")
        script = transcribe(path, found, wanted, cores=os.cpu_count() or 1)
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
    from manifests.spans import RATE

    return tick * rate // RATE


def _write(path: Path, sound: NDArray[np.float32], rate: int) -> None:
    """Write a 16-bit WAV under a temporary name, then rename it."""
    import soundfile

    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        soundfile.write(str(draft), sound, rate, format="WAV", subtype="PCM_16")
        draft.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        draft.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error}.", remedy="Choose another place with --out.") from error
