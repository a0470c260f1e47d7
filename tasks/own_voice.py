"""A consented person's own voice: learned from what they say in a lesson, and spoken with.

The trained voice and every take in it are store objects that carry the person's name, so that a revocation finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from manifests.errors import InputError
from manifests.script import Script
from manifests.spans import samples
from tasks.kept_takes import Wish, kept
from tasks.stage import Workbench, digest

if TYPE_CHECKING:
    from voiceclone.cloner.clips import Clip
    from voiceclone.engine import CloningEngine
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.saying import Said, Saying
    from voiceclone.voiceprint import Print

ENGINE = "adaptive"
VERSION = 3
"""To be raised when the same clips would make another voice."""

MOST_S = 60.0
"""Speech that a voice is learned from; it saturates there (cloner measurements: 0.87 at 30 s, 60 s and 175 s)."""

LEAST_S = 10.0
"""With less, the voice sounds like a stranger's more often than not."""


def clips(script: Script, labels: frozenset[str], programme: Path) -> list[Clip]:
    """The utterances of these speakers that were recognized best, a minute at the most, in their order.

    Raises InputError where they are too few.
    """
    import soundfile

    from voiceclone.cloner.clips import Clip

    theirs = [utterance for utterance in script.utterances if utterance.speaker in labels]
    others = [utterance.span for utterance in script.utterances if utterance.speaker not in labels]
    alone = [
        utterance
        for utterance in theirs
        if not any(utterance.span.overlap(other) for other in others) and utterance.text
    ]
    chosen: list[str] = []
    left = samples(MOST_S)
    for utterance in sorted(alone, key=lambda utterance: -utterance.confidence):
        if left > 0:
            chosen.append(utterance.id)
            left -= utterance.span.length
    kept = [utterance for utterance in alone if utterance.id in chosen]
    speech_s = sum(utterance.span.length_s for utterance in kept)
    if speech_s < LEAST_S:
        raise InputError(f"the lesson holds {speech_s:.1f} s of their speech alone, and {LEAST_S:.0f} s are needed")
    made: list[Clip] = []
    with soundfile.SoundFile(str(programme)) as sound:
        for utterance in kept:
            sound.seek(utterance.span.start)
            frames = sound.read(utterance.span.length, dtype="float32", always_2d=True)
            made.append(Clip(frames.mean(axis=1), sound.samplerate, utterance.text))
    return made


def learned(
    person: str, heard: Sequence[Clip], language: str, target: str, bench: Workbench, still: Callable[[], object]
) -> str:
    """Name of the store object that holds a person's voice for a target language; learned once for the same clips.

    `still` raises where the person no longer agrees: learning takes a minute, and is not kept then.
    """
    import hashlib

    from voiceclone.cloner.training import train

    key = digest(
        {
            "version": VERSION,
            "clips": [[hashlib.sha256(clip.audio.tobytes()).hexdigest(), clip.text] for clip in heard],
            "languages": [language, target],
        }
    )

    def make(folder: Path) -> Path:
        path = folder / "voice.safetensors"
        voice = train(heard, language, target, threads=bench.cores)
        still()
        voice.save(path)
        return path

    name = bench.store.made("voice", key, make, people=(person,)).name
    keep_print(name, person, lambda: print_of(heard), bench)
    return name


def keep_print(voice: str, person: str, make: Callable[[], Print], bench: Workbench) -> None:
    """Keep how the person sounds beside their trained voice, for `similarity`; erased with it."""

    def written(folder: Path) -> Path:
        import numpy as np

        np.save(folder / "print.npy", make(), allow_pickle=False)
        return folder / "print.npy"

    bench.store.made("voiceprint", voice, written, people=(person,))


def similarity(take: Path, voice: str, bench: Workbench) -> float | None:
    """Cosine of a take and the person's own speech, as the speaker encoder hears them; None where it hears too little.

    A few hundredths of a second of work. A person's own sentences measure 0.8 to 0.97, two people's about 0.55.
    """
    import numpy as np
    import soundfile

    from voiceclone import voiceprint

    kept = bench.store.sound("voiceprint", voice)
    if kept is None:
        return None
    own = np.load(bench.store.get(kept.outputs["it"]), allow_pickle=False)
    sound, rate = soundfile.read(str(take), dtype="float32", always_2d=True)
    heard = voiceprint.resampled(np.asarray(sound, np.float32).mean(axis=1), int(rate))
    try:
        return round(voiceprint.likeness(voiceprint.print_of(heard), own), 3)
    except ValueError:
        return None


def print_of(heard: Sequence[Clip]) -> Print:
    """The mean of the clips' voices, without the stretches that sound like somebody else."""
    import numpy as np

    from voiceclone import quality, voiceprint
    from voiceclone.speech import joined, speaking

    sounds = [voiceprint.resampled(clip.audio, clip.rate) for clip in heard]
    prints = quality.window_prints(np.concatenate([joined(sound, speaking(sound)) for sound in sounds]))
    return voiceprint.centroid(np.delete(prints, quality.strangers(prints), axis=0))


def spoken(
    wishes: Sequence[Wish], cloner: CloningEngine[Saying, Said], grant: Grant, registry: Registry, bench: Workbench
) -> Iterator[Path | None]:
    """A take for each wish in a person's voice, in order, as they are made or found.

    The registry is asked before every batch. Raises ConsentRefused as soon as the grant no longer holds: what is made
    then is not kept.
    """
    grant = registry.renew(grant)  # it may have been made long ago: everything is asked again
    say = partial(cloner.synthesize, grant, person=grant.person, language=grant.language)
    agreed = partial(registry.agreed, [grant.consent])  # a batch is said at once, and kept take by take
    yield from kept(wishes, say, bench, people=(grant.person,), while_kept=agreed)
