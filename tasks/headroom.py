"""How far below its limit a true peak has to stay, because encoding raises it.

A lossy encoder leaves out what is not heard, and the peaks of what is left are higher. By how much was measured on
dubbed speech in a quiet room, limited by 6, 14 and 20 dB, one and two channels, at 64 to 192 kb/s: AAC as we encode it
(`containers.AAC_OPTIONS`) adds a few tenths of a decibel, Opus up to 1.3 dB at 64 kb/s and 0.8 dB above, MP3 up to 0.8.
"""

from __future__ import annotations

from tasks.containers import Encoding, chosen, encoding
from tasks.media import Media

OTHERWISE = 0.8
"""Decibels where no encoding is known."""

LOSSLESS = 0.1
"""Meters differ by so much."""

_ENOUGH = {"aac": 0, "libopus": 96_000, "libmp3lame": 0}
"""Bits a second, for up to two channels, from which an encoder adds little."""
_LITTLE = {"aac": 0.8, "libopus": 0.9, "libmp3lame": 0.8}
_MUCH = {"aac": 0.8, "libopus": 1.4, "libmp3lame": 0.8}


def headroom_of(media: Media, container: str) -> float:
    """Decibels for the dub of this file in a container, `delivery.container`. Raises MediaError as `chosen` does."""
    return headroom(encoding(chosen(media, container)[0], media.dubbed), media.dubbed.channels)


def headroom(how: Encoding, channels: int) -> float:
    """Decibels for an encoding of so many channels."""
    if how.bit_rate is None:
        return LOSSLESS
    scarce = how.bit_rate * 2 < _ENOUGH.get(how.encoder, 0) * max(2, channels)
    return (_MUCH if scarce else _LITTLE).get(how.encoder, OTHERWISE)
