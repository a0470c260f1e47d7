"""How Qwen3-TTS uses a person's sample: their voice alone (x-vector), or sample and text as a beginning that it goes on
from (in-context). The latter is closer to the person and may bring their language's accent along; so it is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from manifests.errors import InputError
from manifests.script import Voice
from tasks import best_take, take_sound
from tasks.engines import learned as samples
from tasks.engines.protocols import Hearing, Voicing
from tasks.reference import Reference
from tasks.stage import Workbench, digest

if TYPE_CHECKING:
    from tasks.engines.qwen3_tts import Qwen3Tts
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry

SENTENCES = {
    "de": "Morgens steigt der Nebel langsam aus dem Tal, und die ersten Vögel beginnen zu singen.",
    "en": "In the morning the fog rises slowly from the valley, and the first birds begin to sing.",
    "es": "Por la mañana la niebla sube despacio desde el valle, y los primeros pájaros empiezan a cantar.",
    "fr": "Le matin, le brouillard monte lentement de la vallée, et les premiers oiseaux se mettent à chanter.",
    "it": "Al mattino la nebbia sale piano dalla valle, e i primi uccelli cominciano a cantare.",
    "ja": "朝になると霧が谷からゆっくりと上がり、最初の鳥が歌い始めます。",
    "ko": "아침이 되면 안개가 골짜기에서 천천히 올라오고 첫 새들이 노래하기 시작합니다.",
    "pt": "De manhã a névoa sobe devagar do vale, e os primeiros pássaros começam a cantar.",
    "ru": "Утром туман медленно поднимается из долины, и первые птицы начинают петь.",
    "zh": "清晨，雾气慢慢地从山谷里升起，第一批鸟儿开始歌唱。",
}
"""What is said in both modes, to hear which one says it better."""

X_VECTOR, IN_CONTEXT = "x-vector", "in-context"


def learned(
    engine: Qwen3Tts, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
) -> tuple[str, str]:
    """Name of the store object with a person's sample, and the mode in which it is used, and why."""
    asked = wanted.options.get("mode")
    alone = samples.sampled(reference, with_text=False)
    if asked == X_VECTOR:
        return samples.kept([alone], reference, bench)[0], f"{X_VECTOR}: the manifest says so"
    try:
        with_text = samples.sampled(reference, with_text=True)
    except InputError as error:
        if asked == IN_CONTEXT:
            raise
        return samples.kept([alone], reference, bench)[0], f"{X_VECTOR}: {error.message}"
    if asked == IN_CONTEXT:
        return samples.kept([with_text], reference, bench)[0], f"{IN_CONTEXT}: the manifest says so"
    if wanted.hearing is None:
        why = f"{X_VECTOR}: nobody here understands {wanted.language}, so the modes cannot be compared"
        return samples.kept([alone], reference, bench)[0], why
    names = samples.kept([alone, with_text], reference, bench)
    wrong = [_wrong(engine, name, wanted, wanted.hearing, grant, registry, bench) for name in names]
    better = 1 if wrong[1] <= wrong[0] else 0
    told = (
        f"of a trial sentence {wrong[better]:.0%} of the words were heard wrong, {wrong[1 - better]:.0%} in the other"
    )
    return names[better], f"{(X_VECTOR, IN_CONTEXT)[better]}: {told} mode"


def _wrong(
    engine: Qwen3Tts,
    name: str,
    wanted: Voicing,
    hearing: Hearing,
    grant: Grant,
    registry: Registry,
    bench: Workbench,
) -> float:
    """Share of a trial sentence's words that are heard wrong when it is said with a sample."""
    from voiceclone.saying import Saying

    text = SENTENCES[wanted.language.split("-")[0]]
    voice = Voice("clone", engine.name, name, grant.person, grant.consent)
    trial = bench.scratch / f"{digest({'voice': name, 'text': text})}.flac"
    with engine.speaker(voice, wanted, registry, bench) as cloner:
        [said] = cloner.synthesize(grant, [Saying(text)], person=grant.person, language=grant.language)
    if said.silent:
        return 1.0
    take_sound.write(said.audio, said.rate, trial)
    heard = best_take.recognized(trial, hearing, bench)
    trial.unlink()
    return best_take.word_errors(text, heard)
