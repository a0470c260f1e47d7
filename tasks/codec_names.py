"""What a track of an mp4 file is encoded with, as players are told (RFC 6381 and the codecs' own registrations)."""

from __future__ import annotations

from pathlib import Path

from manifests.errors import StageFailed
from tasks.boxes import boxes, within

VISUAL, AUDIO = 78, 28
"""Bytes of a sample entry before the boxes in it (ISO/IEC 14496-12, 12.1.3 and 12.2.3)."""


def codec_name(path: Path) -> str:
    """The codec of the first track of a file, such as `avc1.64001f` or `mp4a.40.2`.

    Raises StageFailed where it is none that is known here.
    """
    with path.open("rb") as file:
        for start, stop in within(file, 0, file.seek(0, 2), b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
            for entry, at, end in boxes(file, start + 8, stop):
                own = {kind: (first, last) for kind, first, last in boxes(file, at + _fixed(entry), end)}

                def read(kind: bytes, own: dict[bytes, tuple[int, int]] = own) -> bytes:
                    first, last = own[kind]
                    file.seek(first)
                    return file.read(last - first)

                if b"avcC" in own:
                    return f"avc1.{read(b'avcC')[1:4].hex()}"
                if b"hvcC" in own:
                    return _hevc(read(b"hvcC"))
                if b"av1C" in own:
                    return _av1(read(b"av1C"))
                if b"esds" in own:
                    return _aac(read(b"esds"))
    raise StageFailed(f"{path.name} holds no codec that players can be told of.", stage="hls")


def _fixed(entry: bytes) -> int:
    return AUDIO if entry == b"mp4a" else VISUAL


def _hevc(box: bytes) -> str:
    """ISO/IEC 14496-15, annex E: profile, compatibility, tier and level, constraints without the zeros at the end."""
    space = ("", "A", "B", "C")[box[1] >> 6]
    tier = "H" if box[1] & 0x20 else "L"
    reversed_flags = int(f"{int.from_bytes(box[2:6], 'big'):032b}"[::-1], 2)
    constraints = [f"{byte:X}" for byte in box[6:12].rstrip(b"\0")]
    return ".".join([f"hvc1.{space}{box[1] & 0x1F}", f"{reversed_flags:X}", f"{tier}{box[12]}", *constraints])


def _av1(box: bytes) -> str:
    """AV1's binding to ISO base media files, 5: profile, level and tier, bits a sample."""
    profile, level = box[1] >> 5, box[1] & 0x1F
    tier, high, twelve = box[2] >> 7, box[2] >> 6 & 1, box[2] >> 5 & 1
    bits = 12 if high and twelve else 10 if high else 8
    return f"av01.{profile}.{level:02}{'H' if tier else 'M'}.{bits:02}"


def _aac(box: bytes) -> str:
    """The audio object type in the decoder's own description (ISO/IEC 14496-3, 1.6.2.1)."""
    stream = _content(box, 4)
    decoder = _content(box, stream + 3)  # behind the stream's id and flags
    if box[decoder] != 0x40:
        return f"mp4a.{box[decoder]:02X}"
    specific = _content(box, decoder + 13)
    kind = box[specific] >> 3
    if kind == 31:
        kind = 32 + ((box[specific] & 7) << 3 | box[specific + 1] >> 5)
    return f"mp4a.40.{kind}"


def _content(box: bytes, at: int) -> int:
    """Where a descriptor's content begins: behind its tag and a length of up to four bytes (ISO/IEC 14496-1, 8.3.3)."""
    at += 1
    while box[at] & 0x80:
        at += 1
    return at + 1
