"""AAC encoded in pieces side by side and joined without a seam: ffmpeg's encoder uses one core, however long the sound.

AAC codes frames of 1024 samples, each in a window that overlaps the next frame's by half; what the windows add is
cancelled between neighbours, so two neighbours must come from windows that fit each other (ISO/IEC 14496-3, 4.6.11).
Pieces overlap by many frames. They are joined between two frames where both encoders, which hear the same there, chose
the same plain long windows: then what follows cannot tell which of the two wrote what was before. Where there is no
such place, or the windows of some channels could only be known by decoding (more than two channels), nothing is joined.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, MutableSequence, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

from manifests.spans import RATE
from tasks.containers import AAC_OPTIONS
from tasks.process import file_argument, run_program

FRAME = 1024

PRIMING = FRAME
"""Samples that the encoder puts before the first one."""

SHORTEST = 120 * RATE
"""A shorter piece is encoded before a second process has begun."""

OVERLAP = 64
"""Frames that two pieces have in common: 1.4 s."""

SETTLED = 16
"""Frames after which an encoder that began in the middle chooses its windows as one that began before: it looks back
over two frames."""

_ADTS_HEADER = 7
_LONG = 0
Index = MutableSequence[int]
"""Where each frame of a piece begins, and behind them where the last one ends."""

_SINGLE, _PAIR = 0, 1


@dataclass(frozen=True, slots=True)
class Aac:
    """Encoded sound: an ADTS file at 48 kHz, which says nothing of its priming and its end."""

    path: Path
    frames: int
    length: int
    """Samples of the sound itself, at 48 kHz."""

    @property
    def input_options(self) -> dict[str, str | float]:
        """How ffmpeg reads it: its first frame is the priming, and lies before the programme's first instant."""
        return {"format": "aac", "itsoffset": -PRIMING / RATE}

    @property
    def options(self) -> dict[str, str]:
        """How ffmpeg copies it: the last frame lasts only as long as the sound does."""
        last = self.length + PRIMING - (self.frames - 1) * FRAME
        return {"c": "copy", "bsf": f"setts=duration='if(eq(N,{self.frames - 1}),DURATION*{last}/{FRAME},DURATION)'"}


def encode(sound: Path, to: Path, *, bit_rate: int, layout: str | None, cores: int) -> Aac | None:
    """Encode a sound file at 48 kHz into `to`, in as many pieces as are worth it.

    None where one piece would do, or the pieces do not fit each other. Raises ProgramFailed where ffmpeg fails.
    """
    import soundfile

    try:
        facts = soundfile.info(str(sound))
    except soundfile.LibsndfileError:
        return None  # what is wrong with it is ffmpeg's to say
    pieces = min(cores, facts.frames // SHORTEST)
    if pieces < 2 or facts.channels > 2 or facts.samplerate != RATE:
        return None
    total = -(-(facts.frames + PRIMING) // FRAME)
    starts = [total * piece // pieces for piece in range(pieces)]
    spans = [
        (max(0, start - OVERLAP), (end + OVERLAP) if end < total else None)
        for start, end in zip(starts, [*starts[1:], total], strict=True)
    ]

    def encoded(number: int) -> Path:
        first, last = spans[number]
        piece = to.with_suffix(f".{number}.aac")
        _encode(sound, piece, first, last, bit_rate=bit_rate, layout=layout, patience_s=600 + facts.frames / RATE)
        return piece

    with ThreadPoolExecutor(pieces) as pool:
        files = list(pool.map(encoded, range(pieces)))
    indices = [_index(file) for file in files]
    joins = [_join(files, indices, spans, number, around=starts[number]) for number in range(1, pieces)]
    if None in joins or spans[-1][0] + len(indices[-1]) - 1 < total:
        return None
    edges = [0, *(join for join in joins if join is not None), total]
    with to.open("wb") as out:
        for number, (first, last) in enumerate(pairwise(edges)):
            _copy(files[number], indices[number], first - spans[number][0], last - spans[number][0], out)
    for file in files:
        file.unlink()
    return Aac(to, total, facts.frames)


def _encode(
    sound: Path, to: Path, first: int, last: int | None, *, bit_rate: int, layout: str | None, patience_s: float
) -> None:
    """Frames from `first` to before `last` (or the end) of a sound; the first of them is a piece's own priming."""
    import ffmpeg

    heard = ffmpeg.input(file_argument(sound))["a:0"]
    # A frame holds what began 1024 samples before it: frame 0 is the priming, and the piece's first is worth nothing.
    cut = {"start_sample": first * FRAME} | ({"end_sample": last * FRAME} if last is not None else {})
    heard = heard.filter("atrim", **cut).filter("asetpts", "PTS-STARTPTS")
    if layout:
        heard = heard.filter("aformat", channel_layouts=layout)
    output = ffmpeg.output(
        heard, file_argument(to), format="adts", **{"c:a": "aac", "b:a": bit_rate, **dict(AAC_OPTIONS)}
    )
    run_program(["ffmpeg", "-v", "error", "-nostdin", "-y", *ffmpeg.get_args(output)], patience_s)


def _index(file: Path) -> Index:
    """Where the frames of an ADTS file begin, headers included (ISO/IEC 13818-7, 6.2), and where the last one ends."""
    starts = array("q")
    size = file.stat().st_size
    at = 0
    with file.open("rb", buffering=1 << 20) as data:
        while at + _ADTS_HEADER <= size:
            starts.append(at)
            data.seek(at)
            head = data.read(_ADTS_HEADER)
            at += max((head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5, _ADTS_HEADER)
    starts.append(at)
    return starts


def _join(
    files: Sequence[Path],
    indices: Sequence[Index],
    spans: Sequence[tuple[int, int | None]],
    number: int,
    around: int,
) -> int | None:
    """The frame with which piece `number` takes over from the one before: the quietest place that fits."""
    before, after = number - 1, number
    with files[before].open("rb") as one, files[after].open("rb") as other:

        def read(file: IO[bytes], piece: int, frame: int) -> bytes:
            at = frame - spans[piece][0]
            if not 0 <= at < len(indices[piece]) - 1:
                return b""
            start, end = indices[piece][at : at + 2]
            file.seek(start + _ADTS_HEADER)
            return file.read(end - start - _ADTS_HEADER)

        def fits(frame: int) -> bool:
            windows = {
                _window(read(file, piece, at))
                for at in (frame - 1, frame)
                for file, piece in ((one, before), (other, after))
            }
            return len(windows) == 1 and None not in windows

        first, last = around - OVERLAP + SETTLED, around + OVERLAP - SETTLED
        candidates = sorted(range(first, last), key=lambda frame: len(read(other, after, frame)))
        return next((frame for frame in candidates if fits(frame)), None)


def _window(frame: bytes) -> tuple[int, int] | None:
    """A frame's window sequence and shape, where that is one long window for all its channels; else None."""
    bits = _bits(frame[:8])
    element = next(_taken(bits, 3), -1)
    next(_taken(bits, 4), 0)  # the element's tag
    if element == _PAIR:
        if next(_taken(bits, 1), 0) == 0:
            return None  # each channel has windows of its own, and the second's lie far behind
    elif element == _SINGLE:
        next(_taken(bits, 8), 0)  # global gain
    else:
        return None
    next(_taken(bits, 1), 0)
    sequence, shape = next(_taken(bits, 2), -1), next(_taken(bits, 1), -1)
    return (sequence, shape) if sequence == _LONG else None


def _bits(data: bytes) -> Iterator[int]:
    return (byte >> shift & 1 for byte in data for shift in range(7, -1, -1))


def _taken(bits: Iterator[int], count: int) -> Iterator[int]:
    """The next number of so many bits; nothing where they have ended."""
    value = 0
    for _ in range(count):
        bit = next(bits, None)
        if bit is None:
            return
        value = value << 1 | bit
    yield value


def _copy(file: Path, index: Index, first: int, last: int, out: IO[bytes]) -> None:
    """Frames `first` to before `last` of a piece, as they are: they lie one behind the other."""
    start, end = index[first], index[last]
    with file.open("rb") as piece:
        piece.seek(start)
        while start < end and (block := piece.read(min(1 << 20, end - start))):
            out.write(block)
            start += len(block)
