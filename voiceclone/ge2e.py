"""The GE2E speaker encoder's network (Wan et al. 2018, arXiv:1710.10467), with the weights inside resemblyzer.

Whoever uses it says how loud the sound should be (`LEVEL`) and what a voice is made of several looks.
"""

# torchaudio is typed only in part
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Final

import torch
import torchaudio

from manifests.checkpoints import VOICE_ENCODER

RATE: Final = 16_000
DIMENSION: Final = 256

LEVEL: Final = 10 ** (-30 / 20)
"""RMS of the speech that it was trained on (resemblyzer's `audio_norm_target_dBFS`)."""

_WINDOW, _HOP = 160, 80
"""Frames of 10 ms that it was trained to see at once, and the step between two looks."""
_BANDS = 40


class Network(torch.nn.Module):
    """Speech in looks of 1.6 s, and a voice for each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(_BANDS, DIMENSION, 3, batch_first=True)
        self.linear = torch.nn.Linear(DIMENSION, DIMENSION)
        self.mel = torchaudio.transforms.MelSpectrogram(
            RATE, n_fft=400, hop_length=160, n_mels=_BANDS, norm="slaney", mel_scale="slaney"
        )

    @classmethod
    def trained(cls) -> Network:
        """With the weights of resemblyzer. Raises EngineUnavailable where they are missing."""
        network = cls()
        state: dict[str, torch.Tensor] = torch.load(VOICE_ENCODER.path(), map_location="cpu", weights_only=True)[
            "model_state"
        ]
        for name, module in (("lstm", network.lstm), ("linear", network.linear)):
            own = {key.partition(".")[2]: each for key, each in state.items() if key.startswith(f"{name}.")}
            module.load_state_dict(own)
        return network.eval()

    def looks(self, sound: torch.Tensor) -> torch.Tensor:
        """Mel windows, (looks, 160, 40), of a sound (samples,) at RATE; none of one shorter than a frame."""
        if len(sound) < self.mel.n_fft:
            return sound.new_zeros(0, _WINDOW, _BANDS)
        mel: torch.Tensor = self.mel(sound)
        mel = torch.nn.functional.pad(mel, (0, max(0, _WINDOW - mel.shape[1])))
        return mel.unfold(1, _WINDOW, _HOP).permute(1, 2, 0)

    def forward(self, looks: torch.Tensor) -> torch.Tensor:
        """The voice of each look, (looks, 256), of length 1, no element negative."""
        _, (hidden, _) = self.lstm(looks)
        return torch.nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)
