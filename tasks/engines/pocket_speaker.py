"""pocket-tts at work: the model of a language in memory, from files alone, and lines one by one."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from manifests.errors import EngineUnavailable
from tasks.engines import models
from tasks.engines.learned import Sample
from tasks.engines.models import Model
from tasks.engines.resident import resident
from voiceclone.engine import CloningEngine
from voiceclone.registry import Registry
from voiceclone.saying import Said, Saying


class PocketSpeaker(CloningEngine[Saying, Said]):
    """Says lines in the voice of one sample."""

    def __init__(self, registry: Registry, sample: Path, needed: Sequence[Model], language: str) -> None:
        super().__init__(registry)
        self._sample, self._needed, self._language = sample, needed, language
        self._state: Any = None

    def close(self) -> None:
        self._state = None

    def _synthesize(self, person: str, language: str, batch: Sequence[Saying]) -> Sequence[Said]:
        import torch

        with loaded(self._needed, self._language) as model:
            # weights without the projection of a sample hold zeros there, and the library would not say so
            if not model.has_voice_cloning or not model.flow_lm.speaker_proj_weight.any():
                raise EngineUnavailable(
                    "these weights of pocket-tts cannot speak in a person's voice.",
                    remedy=f"dub models pull {self._needed[0].name}",
                )
            if self._state is None:
                sound = torch.from_numpy(Sample.load(self._sample).sound).unsqueeze(0)
                self._state = model.get_state_for_audio_prompt(sound)
            return [_said(model, self._state, saying) for saying in batch]


def said_by_nobody(sayings: Sequence[Saying], voice: str, needed: Sequence[Model], language: str) -> Iterator[Said]:
    """Lines in one of the library's own voices."""
    with loaded(needed, language) as model:
        place = needed[1].folder() / "languages" / language / "embeddings" / f"{voice}.safetensors"
        with models.loading(needed[1].name):
            state = model.get_state_for_audio_prompt(place)
        said = [_said(model, state, saying) for saying in sayings]
    yield from said


def loaded(needed: Sequence[Model], language: str) -> AbstractContextManager[Any]:
    """The model of a language, in memory. Raises EngineUnavailable where it cannot be loaded."""
    weights, voices = needed[0].folder(), needed[1].folder()
    key = ("pocket-tts", models.digest(weights), models.digest(voices))
    return resident(key, partial(_load, weights, voices, language))


def _load(weights: Path, voices: Path, language: str) -> Any:
    import torch
    from ruamel.yaml import YAML

    threads = torch.get_num_threads()
    try:
        from pocket_tts import TTSModel
        from pocket_tts.utils.config import CONFIGS_DIR
    finally:
        torch.set_num_threads(threads)  # importing it leaves all of torch with one
    logging.getLogger("pocket_tts").setLevel(logging.ERROR)  # its warnings quote what is said
    own = weights / "config.yaml"
    with models.loading(weights.name), tempfile.TemporaryDirectory(prefix="dub-") as folder:
        config = YAML(typ="safe").load((own if own.exists() else CONFIGS_DIR / f"{language}.yaml").read_text("utf-8"))
        config["weights_path"] = str(weights / "languages" / language / "model.safetensors")
        config["weights_path_without_voice_cloning"] = None
        config["flow_lm"]["lookup_table"]["tokenizer_path"] = str(voices / "languages" / language / "tokenizer.json")
        resolved = Path(folder) / "config.yaml"
        resolved.write_text(json.dumps(config), encoding="utf-8")  # which is YAML too
        model = TTSModel.load_model(config=resolved).eval()
    model.max_decoder_frames_per_call = 1  # else how busy the machine is would change the last digits
    return model


def _said(model: Any, state: Any, saying: Saying) -> Said:
    import torch

    torch.manual_seed(saying.seed)
    sound = model.generate_audio(state, saying.text, copy_state=True)
    return Said(np.clip(sound.numpy().astype(np.float32), -1, 1), int(model.sample_rate))
