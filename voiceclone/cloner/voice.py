"""A trained voice, and the one file it is kept in.

The file is safetensors: arrays with names and one JSON header, nothing that runs. It is personal data: it is written
for its owner alone, and whoever deletes the file deletes the voice.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manifests.errors import InputError, StoreError
from voiceclone import private
from voiceclone.cloner import phones
from voiceclone.cloner.analysis import BANDS, ORDER, Array
from voiceclone.cloner.colour import BINS
from voiceclone.cloner.network import SHAPES, Weights
from voiceclone.cloner.statistics import Statistics

FORMAT = "dubflow adaptive voice 1"
LARGEST = 256 << 20
"""Bytes in a file beyond which it is no voice: three minutes of speech are 45 MB."""

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Inventory:
    """Every frame of the person that was heard, in order, and what belongs to it: (frames, columns) or (frames,)."""

    cepstrum: Rows
    aperiodicity: Rows
    contour: Rows
    """F0 in the person's standard deviations, through unvoiced frames too."""
    voiced: Rows
    """1 or 0."""
    last: Rows
    """1 where a clip ends, so that the next frame does not follow."""
    predicted: Rows
    """The cepstrum that the networks make of the source's frame at the same place in the same words."""
    predicted_slope: Rows
    phones: Rows
    """Articulation at the same place: of the phoneme, the one before and the one after."""

    def __len__(self) -> int:
        return len(self.contour)


_COLUMNS = {
    "cepstrum": ORDER,
    "aperiodicity": BANDS,
    "contour": None,
    "voiced": None,
    "last": None,
    "predicted": ORDER,
    "predicted_slope": ORDER,
    "phones": 3 * phones.FEATURES,
}
_VECTORS = ("source_mean", "source_sd", "person_mean", "person_sd", "active_sd")


@dataclass(frozen=True, eq=False)
class TrainedVoice:
    """One person's voice for one target language."""

    language: str
    """In which the person was heard."""
    target_language: str
    """In which the voice is to speak."""
    seconds: float
    """Of clips that were learnt from."""
    wpm: int
    """Speed at which the source reads about as fast as the person."""
    own_frames: float
    """Share of the person's own frames in the envelope, 0 to 1; the rest is the networks'."""
    alignment_cost: float
    """Distance from the source's reading to the person's, in standard deviations: high where the words are wrong."""
    statistics: Statistics
    networks: tuple[Weights, ...]
    inventory: Inventory
    correction: Array
    """What power spectra are multiplied by to undo the vocoder's colour: (colour.BINS,)."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in the voice."""
        return _digest(self._facts(), self._arrays())

    def save(self, path: Path) -> None:
        """Write the voice, whole or not at all, readable by its owner only. Raises StoreError."""
        from safetensors.numpy import save

        header = json.dumps({"facts": self._facts(), "digest": self.digest}, sort_keys=True)
        try:
            private.replace(path, save(self._arrays(), metadata={"voice": header}))
        except OSError as error:
            raise StoreError(f"cannot write the voice: {error.strerror}.", remedy=f"Look at {path}.") from error

    @classmethod
    def load(cls, path: Path) -> TrainedVoice:
        """Read a voice from a file that anybody may have made.

        Raises StoreError where it cannot be read, InputError where it is not, to the last bit, a voice that was saved.
        """
        try:
            data = private.read(path, LARGEST)
        except OSError as error:
            raise StoreError(f"cannot read the voice: {error.strerror}.", remedy=f"Look at {path}.") from error
        try:
            return _parsed(data)
        except _NoVoice as error:
            raise InputError(
                f"this is no voice: {error}.", remedy=f"Train it again instead of using {path}."
            ) from error

    def _facts(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "language": self.language,
            "target_language": self.target_language,
            "seconds": self.seconds,
            "wpm": self.wpm,
            "own_frames": self.own_frames,
            "alignment_cost": self.alignment_cost,
            "source_pitch": list(self.statistics.source_pitch),
            "person_pitch": list(self.statistics.person_pitch),
            "networks": len(self.networks),
        }

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {name: getattr(self.statistics, name) for name in _VECTORS}
        arrays["correction"] = self.correction
        arrays |= {f"inventory.{field.name}": getattr(self.inventory, field.name) for field in fields(Inventory)}
        for number, weights in enumerate(self.networks):
            arrays |= {f"network{number}.{name}": weight for name, weight in weights.items()}
        return {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}


class _NoVoice(ValueError):
    """What is wrong with a file."""


def _parsed(data: bytes) -> TrainedVoice:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        # The header is JSON of a length that comes first, and safetensors checks that all of the file is accounted for.
        arrays: Mapping[str, NDArray[Any]] = load(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["voice"])
        facts, digest = header["facts"], header["digest"]
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _NoVoice("it is not a safetensors file with a voice's header") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise _NoVoice(f"its format is not {FORMAT!r}")
    arrays = dict(sorted(arrays.items()))
    if digest != _digest(facts, arrays):
        raise _NoVoice("it was changed after it was saved")
    try:
        return _built(facts, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _NoVoice("its parts do not fit together") from error


def _built(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> TrainedVoice:
    count = int(facts["networks"])
    frames = len(arrays["inventory.contour"])
    shapes: dict[str, tuple[tuple[int, ...], type]] = dict.fromkeys(_VECTORS, ((ORDER,), np.float64))
    shapes["correction"] = ((BINS,), np.float64)
    for name, columns in _COLUMNS.items():
        shapes[f"inventory.{name}"] = ((frames,) if columns is None else (frames, columns)), np.float32
    for number in range(count if 1 <= count <= 8 else 0):
        shapes |= {f"network{number}.{name}": (shape, np.float32) for name, shape in SHAPES.items()}
    fits = shapes.keys() == arrays.keys() and all(
        arrays[name].shape == shape and arrays[name].dtype == kind and np.isfinite(arrays[name]).all()
        for name, (shape, kind) in shapes.items()
    )
    numbers = [float(facts[name]) for name in ("seconds", "own_frames", "alignment_cost")]
    pitch = {name: (float(facts[name][0]), float(facts[name][1])) for name in ("source_pitch", "person_pitch")}
    whole = all(math.isfinite(number) for number in (*numbers, *pitch["source_pitch"], *pitch["person_pitch"]))
    if not fits or not whole or frames < 2 or not 0 <= numbers[1] <= 1:
        raise ValueError("shapes or numbers")
    return TrainedVoice(
        language=str(facts["language"]),
        target_language=str(facts["target_language"]),
        seconds=numbers[0],
        wpm=int(facts["wpm"]),
        own_frames=numbers[1],
        alignment_cost=numbers[2],
        statistics=Statistics(
            source_mean=arrays["source_mean"],
            source_sd=arrays["source_sd"],
            person_mean=arrays["person_mean"],
            person_sd=arrays["person_sd"],
            active_sd=arrays["active_sd"],
            source_pitch=pitch["source_pitch"],
            person_pitch=pitch["person_pitch"],
        ),
        networks=tuple({name: arrays[f"network{number}.{name}"] for name in SHAPES} for number in range(count)),
        correction=arrays["correction"],
        inventory=Inventory(**{name: arrays[f"inventory.{name}"] for name in _COLUMNS}),
    )


def _digest(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    whole = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, array in arrays.items():
        whole.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()
