"""An `.argosmodel` package around a Marian network that has learned a few sentences by heart."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

SPANISH = {
    "The house is big.": "La casa es grande.",
    "The dog is white.": "El perro es blanco.",
    "We see the river.": "Vemos el río.",
    "Water is not dry.": "El agua no está seca.",
    "Plants turn light into energy.": "Las plantas cambian la luz en energía.",
    "Water moves through the stem.": "El agua sube por el tallo.",
    "In 1984 the river froze.": "En 1984 se heló el río.",
}
PORTUGUESE = {
    "La casa es grande.": "A casa é grande.",
    "El perro es blanco.": "O cão é branco.",
    "Vemos el río.": "Vemos o rio.",
    "El agua no está seca.": "A água não está seca.",
    "Las plantas cambian la luz en energía.": "As plantas mudam a luz em energia.",
    "El agua sube por el tallo.": "A água sobe pelo caule.",
    "En 1984 se heló el río.": "Em 1984 o rio gelou.",
}


def packed(pairs: dict[str, str], source: str, target: str, folder: Path) -> Path:
    """An `.argosmodel` file around a Marian network that has learned these sentences by heart."""
    import ctranslate2
    import sentencepiece
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    marian = folder / "marian"
    marian.mkdir(parents=True)
    spoken = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*pairs, *pairs.values()]),
        model_writer=spoken,
        vocab_size=100,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    for name in ("source.spm", "target.spm"):
        (marian / name).write_bytes(spoken.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=spoken.getvalue())
    words = ["</s>", "<unk>", *(pieces.id_to_piece(at) for at in range(3, len(pieces))), "<pad>"]
    ids = {word: at for at, word in enumerate(words)}
    (marian / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    (marian / "tokenizer_config.json").write_text(json.dumps({"source_lang": source, "target_lang": target}))
    pad = ids["<pad>"]
    torch.manual_seed(0)
    network = MarianMTModel(
        MarianConfig(
            vocab_size=len(words), d_model=64, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4,
            decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=256, dropout=0.0,
            attention_dropout=0.0, activation_dropout=0.0, pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0,
            forced_eos_token_id=None, bos_token_id=None, scale_embedding=True, activation_function="swish",
        )
    )  # fmt: skip

    def rows(texts: Any, end: list[int]) -> torch.Tensor:
        numbers = [[ids.get(piece, 1) for piece in pieces.encode(text, out_type=str)] + end for text in texts]
        longest = max(map(len, numbers))
        return torch.tensor([row + [pad] * (longest - len(row)) for row in numbers])

    given, wanted = rows(pairs, []), rows(pairs.values(), [0])
    labels = wanted.masked_fill(wanted == pad, -100)
    learner = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(150):
        loss = network(input_ids=given, attention_mask=(given != pad).long(), labels=labels).loss
        learner.zero_grad()
        loss.backward()
        learner.step()
        network.model.shared.weight.data[pad].zero_()  # Marian begins with nothing, and so does CTranslate2
        if loss.item() < 0.02:
            break
    network.generation_config.forced_eos_token_id = None
    network.save_pretrained(marian)
    assert isinstance(MarianTokenizer.from_pretrained(marian), MarianTokenizer)
    converter = ctranslate2.converters.TransformersConverter(str(marian))
    converter.convert(str(folder / "model"), force=True)
    file = folder / f"translate-{source}_{target}-1_0.argosmodel"
    facts = {"package_version": "1.0", "argos_version": "1.0", "from_code": source, "to_code": target}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{source}_{target}/metadata.json", json.dumps(facts))
        archive.writestr(f"{source}_{target}/sentencepiece.model", spoken.getvalue())
        for path in (folder / "model").iterdir():
            archive.write(path, f"{source}_{target}/model/{path.name}")
    return file
