"""`dub voices audition`: hear a sentence in an enrolled person's voice, under their consent and with the watermark."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from flows.answering import print_json
from flows.standing import BLOCKED, DONE
from flows.voicing import enrolments
from manifests.engines import chosen
from manifests.errors import ConsentRefused, InputError, StoreError
from manifests.load import load
from manifests.script import Voice
from manifests.workspace import open_store
from tasks import clone, enrolled_voice
from tasks.engines.protocols import Voicing
from tasks.stage import Workbench
from voiceclone import workspaces
from voiceclone.enrolment import language_tag_or_fault
from voiceclone.permission import permitted
from voiceclone.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from voiceclone.enrolment import Enrolment
    from voiceclone.enrolments import Enrolments
    from voiceclone.saying import Said


LONGEST_TEXT = 500
"""Characters: an audition is a sentence or two."""


def audition_voice(
    person: str,
    *,
    text: str,
    language: str,
    out: Path | None,
    manifest: Path | None = None,
    workspace: Path | None,
    json_wanted: bool,
) -> NoReturn:
    """Write a WAV of the person saying a text, with the engine of a course, else with the adaptive cloner.

    Exits 2 where that cannot be, 4 without consent for the language.
    """
    tag = language_tag_or_fault(language)
    if not 0 < len(text.strip()) <= LONGEST_TEXT:
        raise InputError(f"the text has {len(text.strip())} characters.", remedy=f"Give 1 to {LONGEST_TEXT}.")
    path = (out or Path(f"{person}.{tag}.wav")).expanduser().absolute()
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is not a folder.", remedy="Make it, or choose another with --out.")
    voices, registry = enrolments(workspace), Registry.default()
    enrolment = voices.get(person)
    try:
        wanted = _wanted(manifest, tag)
        speaking = partial(_by_cloner if wanted.engine == "adaptive" else _by_engine, voices, enrolment, text, wanted)
        said = speaking(registry)
    except ConsentRefused as refusal:
        remedy = f" {refusal.remedy}" if refusal.remedy else ""
        sys.stderr.write(f"dub: {refusal.message.rstrip('.')}.{remedy}\n")
        raise typer.Exit(BLOCKED) from refusal
    from voiceclone import watermark

    sound = watermark.mark(said.audio, said.rate)
    _write(path, sound, said.rate)
    if json_wanted:
        facts = {"person": person, "language": tag, "consent": enrolment.consent, "path": str(path)}
        facts |= {"seconds": round(len(sound) / said.rate, 3), "engine": wanted.engine, "voice": said.digest}
        print_json(facts)
    else:
        sys.stdout.write(f"{path}\n")
    raise typer.Exit(DONE)


def _wanted(manifest: Path | None, tag: str) -> Voicing:
    """The engine of a course that speaks in people's voices, and what it is asked for. Raises as its `check` does."""
    from tasks.engines import catalogue

    if manifest is None:
        return Voicing(tag, "adaptive")
    choice = chosen(load(manifest.expanduser()), "synthesize")
    asked = Voicing(tag, choice.name, choice.model, dict(choice.options))
    engine = catalogue.synthesizer(choice.name)
    engine.check(asked)
    return asked if engine.cloner == engine.name else Voicing(tag, engine.cloner)


def _by_cloner(voices: Enrolments, enrolment: Enrolment, text: str, wanted: Voicing, registry: Registry) -> Said:
    """With the voice that is trained once for a language and kept beside the enrolment."""
    permitted(registry, enrolment.consent, enrolment.person, language=wanted.language)
    voice = enrolled_voice.trained(voices, enrolment, wanted.language, os.cpu_count() or 1)

    from voiceclone.cloner.engine import AdaptiveCloner
    from voiceclone.cloner.voice import TrainedVoice
    from voiceclone.saying import Saying

    # Training may take longer than a grant is good for, so the registry is asked again for the speaking.
    grant = permitted(registry, enrolment.consent, enrolment.person, language=wanted.language)
    with AdaptiveCloner(registry, lambda person, language: TrainedVoice.load(voice)) as engine:
        [said] = engine.synthesize(grant, [Saying(text)], person=grant.person, language=grant.language)
    return said


def _by_engine(voices: Enrolments, enrolment: Enrolment, text: str, wanted: Voicing, registry: Registry) -> Said:
    """With an engine that learns from a sample; what it learns is kept in the workspace's store, for the runs too."""
    from tasks.engines import catalogue
    from voiceclone.saying import Saying

    engine = catalogue.synthesizer(wanted.engine)
    allowed = partial(permitted, registry, enrolment.consent, enrolment.person, language=wanted.language)
    grant = allowed(third_party=engine.third_party(wanted))
    workspace = voices.workspace
    workspaces.note(registry.root, workspace, person=grant.person, consent=grant.consent)
    store = open_store(workspace)
    with store.scratch() as scratch:
        bench = Workbench(store, scratch)
        name, use = engine.learn(clone.from_enrolment(voices, enrolment), wanted, grant, registry, bench)
        voice = Voice("clone", engine.name, name, grant.person, grant.consent, use=use)
        with engine.speaker(voice, wanted, registry, bench) as cloner:
            [said] = cloner.synthesize(grant, [Saying(text)], person=grant.person, language=grant.language)
    return replace(said, digest=name)


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
