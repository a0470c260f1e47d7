"""`dub voices audition`: hear a sentence in an enrolled person's voice, under their consent and with the watermark."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from flows.standing import BLOCKED, DONE
from flows.voicing import enrolments
from manifests.errors import ConsentRefused, InputError, StoreError
from tasks import enrolled_voice
from voiceclone.enrolment import language_tag_or_fault
from voiceclone.permission import permitted
from voiceclone.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
        voice = enrolled_voice.trained(voices, enrolment, tag, os.cpu_count() or 1)

        from voiceclone import watermark
        from voiceclone.cloner.engine import AdaptiveCloner, Saying
        from voiceclone.cloner.voice import TrainedVoice

        # Training may take longer than a grant is good for, so the registry is asked again for the speaking.
        grant = permitted(registry, enrolment.consent, person, language=tag)
        with AdaptiveCloner(registry, lambda person, language: TrainedVoice.load(voice)) as engine:
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
