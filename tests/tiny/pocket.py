"""pocket-tts with random weights: Spanish, with a voice for each name that the engine casts; it hums each text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.argos import SPANISH

HUM_HZ = 100
"""What it says is this tone with its overtones: no words, but a sound in which a watermark holds."""


def make(folder: Path, *, real: bool = False) -> Path:
    """A folder of models with Spanish ones of some hundred kilobytes, of the library's own classes.

    `real`: of the sizes that the library itself has for Spanish.
    """
    import safetensors.torch
    import torch
    import yaml
    from pocket_tts import TTSModel
    from pocket_tts.models.model_state import export_model_state
    from pocket_tts.utils.config import CONFIGS_DIR
    from tokenizers import Tokenizer, models, trainers

    from tasks.engines.pocket import HIGH, LOW

    torch.manual_seed(0)
    weights = folder / "pocket-tts-spanish"
    voices = folder / "pocket-tts-spanish-voices" / "languages" / "spanish"
    (weights / "languages" / "spanish").mkdir(parents=True)
    (voices / "embeddings").mkdir(parents=True)
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106
    letters = "abcdefghijklmnopqrstuvwxyzáéíóúñ.,ABCDEFGHIJKLMNOPQRSTUVWXYZ "
    texts = [*SPANISH.values(), "En mil novecientos ochenta y cuatro se heló el río."]
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False, special_tokens=["<unk>"], initial_alphabet=list(letters)
    )
    tokenizer.train_from_iterator(texts, trainer)  # a text is one token or two: how long is said goes by their number
    tokenizer.save(str(voices / "tokenizer.json"))
    config: dict[str, Any] = yaml.safe_load((CONFIGS_DIR / "spanish.yaml").read_text("utf-8"))
    config |= {"weights_path": None, "weights_path_without_voice_cloning": None}
    lm, mimi = config["flow_lm"], config["mimi"]
    lm["lookup_table"] |= {"n_bins": tokenizer.get_vocab_size(), "tokenizer_path": str(voices / "tokenizer.json")}
    if not real:
        _small(lm, mimi)
    (weights / "config.yaml").write_text(yaml.safe_dump(config))
    model = TTSModel.load_model(config=weights / "config.yaml")
    with torch.no_grad():
        for weight in model.state_dict().values():
            if weight.is_floating_point() and not weight.isfinite().all():
                weight.normal_(0, 0.1)
        model.flow_lm.speaker_proj_weight.normal_(0, 0.1)
        if not real:
            model.flow_lm.out_eos.bias.fill_(-100.0)  # it never ends by itself, but where the library ends it
    if not real:
        _humming(model.mimi)
    safetensors.torch.save_file(model.state_dict(), str(weights / "languages" / "spanish" / "model.safetensors"))
    state = model.get_state_for_audio_prompt(torch.randn(1, 24_000) / 10)
    for name in (*LOW, *HIGH):
        export_model_state(state, voices / "embeddings" / f"{name}.safetensors")
    return folder


def _small(lm: dict[str, Any], mimi: dict[str, Any]) -> None:
    lm["flow"] |= {"depth": 1, "dim": 16}
    lm["transformer"] |= {"d_model": 32, "num_heads": 2, "num_layers": 1, "hidden_scale": 2}
    lm["lookup_table"] |= {"dim": 32}
    mimi |= {"inner_dim": 8, "outer_dim": 32}
    mimi["seanet"] |= {"dimension": 32, "n_filters": 4}
    mimi["transformer"] |= {
        "d_model": 32,
        "num_heads": 2,
        "num_layers": 1,
        "dim_feedforward": 32,
        "input_dimension": 32,
        "output_dimensions": [32],
    }
    mimi["quantizer"] |= {"dimension": 8, "output_dimension": 32}


def _humming(mimi: Any) -> None:
    """Teach the decoder to hum, whatever it decodes."""
    import torch
    from pocket_tts.modules.stateful_module import init_states

    frames, hop = 3, mimi.frame_size
    seconds = torch.arange(frames * hop) / mimi.sample_rate
    turns = 2 * torch.pi * HUM_HZ * seconds
    hum: Any = sum(torch.sin(over * turns + over**2) / over for over in range(1, 21)) / 8
    learner = torch.optim.Adam(mimi.decoder.parameters(), lr=5e-3)
    for _ in range(160):
        begun = init_states(mimi, 2, 16 * frames)
        said = mimi.decode_from_latent(torch.randn(2, frames, mimi.quantizer.dimension), begun)[:, 0]
        loss = (said - hum)[:, hop:].square().mean() / hum.square().mean()
        learner.zero_grad()
        loss.backward()
        learner.step()
        if loss.item() < 0.2:
            break
