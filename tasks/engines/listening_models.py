"""The models of the engines that listen: Whisper, aligners by language, pyannote's community pipeline.

Licences are of the weights. For French, German, Spanish and Italian these are not the aligners that whisperx takes by
itself: those (VoxPopuli's) may not be used commercially.
"""

from __future__ import annotations

from typing import Final

from tasks.engines.models import Model

_WHISPER_FILES = ("config.json", "model.bin", "tokenizer.json", "vocabulary.json|vocabulary.txt")
_THIRD_FILES = (*_WHISPER_FILES, "preprocessor_config.json")  # which alone says that it hears 128 bands, not 80
_ALIGNER_FILES = ("config.json", "preprocessor_config.json", "vocab.json", "model.safetensors|pytorch_model.bin")
_ALIGNER_EXTRAS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def whisper(name: str, source: str = "", size: int = 0, languages: tuple[str, ...] = ()) -> Model:
    """A Whisper model in CTranslate2's format. Without a source: an operator's own, of which only they know."""
    return Model(
        name,
        _THIRD_FILES if "large-v3" in name and source else _WHISPER_FILES,
        licence="MIT" if source else "the operator's to know",
        commercial=bool(source),
        source=source,
        size=size,
        languages=languages,
        optional=("preprocessor_config.json",),
    )


def aligner(name: str, source: str = "", size: int = 0, languages: tuple[str, ...] = ()) -> Model:
    """A wav2vec 2.0 network with a CTC head, in transformers' format; the same of one without a source."""
    return Model(
        name,
        _ALIGNER_FILES,
        licence="Apache-2.0" if source else "the operator's to know",
        commercial=bool(source),
        source=source,
        size=size,
        languages=languages,
        optional=_ALIGNER_EXTRAS,
    )


WHISPERS: Final = (
    whisper("faster-whisper-large-v3", "Systran/faster-whisper-large-v3", 3_090_000_000),
    whisper("faster-whisper-large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1_620_000_000),
    whisper("faster-distil-whisper-large-v3", "Systran/faster-distil-whisper-large-v3", 1_510_000_000, ("en",)),
    whisper("faster-whisper-medium", "Systran/faster-whisper-medium", 1_530_000_000),
    whisper("faster-whisper-small", "Systran/faster-whisper-small", 486_000_000),
    whisper("faster-whisper-base", "Systran/faster-whisper-base", 148_000_000),
    whisper("faster-whisper-tiny", "Systran/faster-whisper-tiny", 78_000_000),
)
"""The engine's own choice first."""

_XLSR_BYTES = 1_262_000_000
_XLSR: Final = {
    "ar": "arabic",
    "de": "german",
    "el": "greek",
    "es": "spanish",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "ja": "japanese",
    "nl": "dutch",
    "pl": "polish",
    "pt": "portuguese",
    "ru": "russian",
    "zh": "chinese-zh-cn",
}

ALIGNERS: Final = (
    aligner("wav2vec2-base-960h", "facebook/wav2vec2-base-960h", 378_000_000, ("en",)),
    *(
        aligner(
            f"wav2vec2-large-xlsr-53-{name}",
            f"jonatasgrosman/wav2vec2-large-xlsr-53-{name}",
            _XLSR_BYTES,
            (tag,),
        )
        for tag, name in _XLSR.items()
    ),
    aligner("wav2vec2-large-xlsr-catala", "softcatala/wav2vec2-large-xlsr-catala", _XLSR_BYTES, ("ca",)),
    aligner("wav2vec2-large-xlsr-korean", "kresnik/wav2vec2-large-xlsr-korean", _XLSR_BYTES, ("ko",)),
)
"""One a language; `options: {aligner: FOLDER}` names another."""

COMMUNITY: Final = Model(
    "speaker-diarization-community-1",
    (
        "config.yaml",
        "segmentation/pytorch_model.bin",
        "embedding/pytorch_model.bin",
        "plda/plda.npz",
        "plda/xvec_transform.npz",
    ),
    licence="CC-BY-4.0",
    commercial=True,
    source="pyannote/speaker-diarization-community-1",
    size=33_000_000,
    terms="https://huggingface.co/pyannote/speaker-diarization-community-1",
)
