"""Qwen3-TTS at work: the model in memory, a person's prompt, batches of lines; only ever behind a grant.

Every take is drawn by its own seed, row by row, so a line sounds the same whatever else is in its batch: the library's
own sampling draws for all rows from one generator. Here the library decodes greedily, over logits to which each row's
Gumbel noise was added, which is the same as sampling (Gumbel-max).
"""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from manifests.errors import EngineUnavailable
from tasks.engines import accelerator, models
from tasks.engines.learned import Sample
from tasks.engines.qwen3_tts import LANGUAGES
from tasks.engines.resident import resident
from tasks.stage import Workbench, digest
from voiceclone.engine import CloningEngine
from voiceclone.registry import Registry
from voiceclone.saying import Said, Saying

if TYPE_CHECKING:
    import torch

CODES_S = 12.5
"""Codes a second."""

PROMPT_VERSION = 1

BATCH = {"cuda": 32, "cpu": 8}
"""Lines that are said at once where the manifest does not say; a GPU takes about as long for 32 as for one."""

SEEDS = 3
"""By which a line is drawn before it is given up: a model that draws may miss the end and talk on and on."""

_log = logging.getLogger(__name__)


class Qwen3Speaker(CloningEngine[Saying, Said]):
    """Says lines in the voice of one sample."""

    def __init__(
        self, registry: Registry, bench: Workbench, voice: str, folder: Path, batch: int | None = None
    ) -> None:
        super().__init__(registry)
        self._bench, self._voice, self._folder = bench, voice, folder
        self.batch_size = max(1, BATCH[accelerator.device()] if batch is None else batch)

    def _synthesize(self, person: str, language: str, batch: Sequence[Saying]) -> Sequence[Said]:
        name = LANGUAGES[language.split("-", maxsplit=1)[0]]
        with resident(("qwen3-tts", str(self._folder), models.digest(self._folder)), partial(load, self._folder)) as it:
            prompt = self._prompt(it, person)
            return accelerator.in_batches(
                batch, len(batch), lambda part: ended(it, part, name, prompt), what="speak with qwen3-tts"
            )

    def _prompt(self, model: Any, person: str) -> Any:
        """The person's prompt: from the store, or made now and kept there under their name."""
        sample = Sample.load(self._bench.store.get(self._voice))
        key = digest({"version": PROMPT_VERSION, "voice": self._voice, "weights": models.digest(self._folder)})

        def make(folder: Path) -> Path:
            from qwen_tts import VoiceClonePromptItem

            [item] = model.create_voice_clone_prompt(
                ref_audio=(sample.sound, 24_000), ref_text=sample.text or None, x_vector_only_mode=not sample.text
            )
            return _saved(cast("VoiceClonePromptItem", item), folder / "prompt.safetensors")

        return _prompt(self._bench.store.made("prompt", key, make, people=(person,)), model.device)


def load(folder: Path) -> Any:
    """The model of a folder, on the GPU where there is one. Raises EngineUnavailable where it cannot be loaded."""
    import torch

    if shutil.which("sox") is None:  # only its 25 Hz codec calls that program; it looks, and complains, when imported
        sys.modules.setdefault("sox", ModuleType("sox"))
    with redirect_stdout(io.StringIO()):  # it tells of faster kernels
        from qwen_tts import Qwen3TTSModel

    device = accelerator.device()
    kind = torch.bfloat16 if device == "cuda" else torch.float32
    _architecture(folder)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    with models.loading(folder.name):
        model: Any = Qwen3TTSModel.from_pretrained(
            str(folder), device_map=device, dtype=kind, attn_implementation="sdpa", local_files_only=True
        )
    if model.model.tts_model_type != "base":
        raise EngineUnavailable(
            f"the model {folder.name} is Qwen3-TTS for {model.model.tts_model_type}, which does not speak in a person's"
            " voice.",
            remedy="Use a `Base` model: dub models pull Qwen3-TTS-12Hz-1.7B-Base",
        )
    return model


def ended(model: Any, batch: Sequence[Saying], language: str, prompt: Any) -> list[Said]:
    """A batch in one person's voice; a line that does not end is drawn again, by the next seeds.

    One that ends by none of `SEEDS` has no sound: a log tells it, and its record names it as missing.
    """
    takes = spoken(model, batch, language, prompt)
    for number in range(1, SEEDS):
        if not (endless := _endless(batch, takes)):
            return takes
        again = [replace(batch[at], seed=batch[at].seed + number) for at in endless]
        for at, take in zip(endless, spoken(model, again, language, prompt), strict=True):
            takes[at] = take
    for at in _endless(batch, takes):
        _log.warning("line %s: qwen3-tts talks on and on, by each of %d seeds; it is left out", batch[at].line, SEEDS)
        takes[at] = Said(np.zeros(0, np.float32), takes[at].rate)
    return takes


def _endless(batch: Sequence[Saying], takes: Sequence[Said]) -> list[int]:
    """Which takes are as long as their text may be at the most: they were cut off."""
    most = [most_codes(saying.text) for saying in batch]
    return [at for at, take in enumerate(takes) if len(take.audio) * CODES_S >= most[at] * take.rate]


def spoken(model: Any, batch: Sequence[Saying], language: str, prompt: Any) -> list[Said]:
    """A batch in one person's voice, each line by its own seed, cut off where it talks on and on."""
    caps = [most_codes(saying.text) for saying in batch]
    with drawing(model, [saying.seed for saying in batch]):
        sounds, rate = model.generate_voice_clone(
            text=[saying.text for saying in batch],
            language=[language] * len(batch),
            voice_clone_prompt=[prompt] * len(batch),
            non_streaming_mode=True,
            do_sample=False,
            subtalker_dosample=False,
            temperature=1.0,
            subtalker_temperature=1.0,
            max_new_tokens=max(caps) + 1,  # of the last one there is no sound
        )
    step = int(model.model.speech_tokenizer.get_decode_upsample_rate())
    return [
        Said(np.clip(np.asarray(sound, np.float32)[: cap * step], -1, 1), int(rate))
        for sound, cap in zip(sounds, caps, strict=True)
    ]


def most_codes(text: str) -> int:
    """Codes beyond which a model talks on and on: four seconds, and a sixth for a letter, half for an ideograph."""
    wide = sum(ord(sign) > 0x2E80 for sign in text)
    return round(CODES_S * (4 + wide / 2 + (len(text) - wide) / 6))


@contextmanager
def drawing(model: Any, seeds: Sequence[int]) -> Generator[None]:
    """Within, greedy decoding draws: each row of a batch by its own seed."""
    import torch

    talker = model.model.talker
    usual = dict(model.generate_defaults or {})
    rows = [torch.Generator(device=talker.device).manual_seed(seed) for seed in seeds]
    parts = ((talker, ""), (talker.code_predictor, "subtalker_"))
    for part, prefix in parts:
        heat = float(usual.get(f"{prefix}temperature", 0.9))
        best = int(usual.get(f"{prefix}top_k", 50))
        nucleus = float(usual.get(f"{prefix}top_p", 1.0))
        noisy = _Drawn(rows, heat, best, nucleus)
        part.generate = partial(type(part).generate, part, logits_processor=[noisy])
    try:
        yield
    finally:
        for part, _ in parts:
            del part.generate


class _Drawn:
    """Logits that greedy decoding draws from: tempered, cut to the likeliest, each row with noise of its own."""

    def __init__(self, rows: Sequence[torch.Generator], heat: float, best: int, nucleus: float) -> None:
        self._rows, self._heat, self._best, self._nucleus = rows, heat, best, nucleus

    def __call__(self, _: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        logits = scores.float() / max(self._heat, 1e-3)
        if 0 < self._best < logits.shape[-1]:
            least = logits.topk(self._best).values[..., -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        if self._nucleus < 1:
            ordered, places = logits.sort(descending=True)
            beyond = ordered.softmax(-1).cumsum(-1) - ordered.softmax(-1) > self._nucleus
            logits = logits.masked_fill(beyond.scatter(-1, places, beyond), -torch.inf)
        width = logits.shape[-1]
        even = torch.stack([torch.rand(width, generator=row, device=logits.device) for row in self._rows])
        return logits - (-even.clamp(1e-10, 1 - 1e-7).log()).log()


def _architecture(folder: Path) -> None:
    """Raises EngineUnavailable where the folder holds another network."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise EngineUnavailable(
            f"config.json of the model {folder.name} cannot be read.", remedy=f"dub models pull {folder.name}"
        ) from error
    if kind != "qwen3_tts":
        raise EngineUnavailable(
            f"the model {folder.name} is a {kind}, not Qwen3-TTS.", remedy=f"dub models pull {folder.name}"
        )


def _saved(item: Any, path: Path) -> Path:
    from safetensors.torch import save_file

    parts = {"x_vector": item.ref_spk_embedding.float().cpu().contiguous()}
    if item.ref_code is not None:
        parts["codes"] = item.ref_code.cpu().contiguous()
    save_file(parts, str(path), metadata={"text": item.ref_text or ""})
    return path


def _prompt(path: Path, device: Any) -> Any:
    from qwen_tts import VoiceClonePromptItem
    from safetensors import safe_open

    with safe_open(str(path), framework="pt", device=str(device)) as file:
        opened = cast("Any", file)
        text = opened.metadata()["text"]
        codes = opened.get_tensor("codes") if "codes" in opened.keys() else None  # noqa: SIM118
        x_vector = opened.get_tensor("x_vector")
    return VoiceClonePromptItem(
        ref_code=codes,
        ref_spk_embedding=x_vector,
        x_vector_only_mode=codes is None,
        icl_mode=codes is not None,
        ref_text=text or None,
    )
