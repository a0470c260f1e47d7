"""Brazilian and European Portuguese in one file: told apart by the elements that containers have for it."""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manifests.spans import Span
from tasks import matroska_tracks, mp4_tracks
from tasks.media import probe
from tasks.remux import remux
from tasks.split import split
from tasks.subtitles import Cue
from tasks.track_languages import named, taken_apart
from tasks.tracks import Dub

Make = Callable[..., Path]


def boxes(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of an mp4 file, by a parser of the test's own."""
    end = len(data) if end is None else end
    while at < end:
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        yield kind, data[at + 8 : at + length]
        at += length


def tracks_of_mp4(data: bytes) -> list[tuple[str, str, str, list[bytes]]]:
    """Each track's handler, name, extended language, and the kinds of boxes in its media box, in order."""
    found: list[tuple[str, str, str, list[bytes]]] = []
    moov = dict(boxes(data))[b"moov"]
    for kind, trak in boxes(moov):
        if kind != b"trak":
            continue
        media = dict(boxes(trak))[b"mdia"]
        inside = dict(boxes(media))
        handler = inside[b"hdlr"]
        name = handler[25:] if handler[4:8] == b"mhlr" else handler[24:-1]
        if handler[4:8] == b"mhlr":
            assert handler[24] == len(name)
        else:
            assert handler[-1] == 0
        language = inside.get(b"elng", bytes(5))
        assert language[:4] == bytes(4)
        assert language[-1] == 0
        found.append(
            (handler[8:12].decode(), name.decode(), language[4:-1].decode(), [kind for kind, _ in boxes(media)])
        )
    return found


def number(data: bytes, at: int) -> tuple[int, int]:
    """An EBML number without its marker, and how many bytes it takes."""
    width = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1), width


def elements(data: bytes) -> Iterator[tuple[str, bytes, int]]:
    """The elements of a Matroska file's part, by a parser of the test's own: id, content, where they begin."""
    at = 0
    while at < len(data):
        _, id_width = number(data, at)
        size, size_width = number(data, at + id_width)
        start = at + id_width + size_width
        yield data[at : at + id_width].hex(), data[start : start + size], at
        at = start + size


def tracks_of_matroska(data: bytes) -> list[dict[str, bytes]]:
    """What each track entry says, by element id; the checksum before them holds."""
    segment = next(content for kind, content, _ in elements(data) if kind == "18538067")
    tracks = next(content for kind, content, _ in elements(segment) if kind == "1654ae6b")
    (checksum_kind, checksum, _), *entries = elements(tracks)
    assert checksum_kind == "bf"
    assert int.from_bytes(checksum, "little") == zlib.crc32(tracks[6:])
    return [{kind: content for kind, content, _ in elements(entry)} for kind, entry, _ in entries if kind == "ae"]


@pytest.fixture
def both(click_video: Make, tmp_path: Path) -> Callable[[str], Path]:
    """A file dubbed to Portuguese as it is spoken in Brazil and in Portugal, and to Spanish."""

    def deliver(name: str) -> Path:
        source = click_video(name)
        (tmp_path / "scratch").mkdir()
        parts = split(source, tmp_path / "scratch", source_language="en")
        cues = (Cue(Span.of_seconds(0.5, 2.0), ("Olá.",)),)
        dubs = [Dub(tag, parts.programme, cues) for tag in ("pt-BR", "pt-PT", "es")]
        return Path(remux(source, parts.media, dubs, tmp_path / "out" / "l.multi", tmp_path / "scratch").path)

    return deliver


@pytest.mark.parametrize("name", ["l.mp4", "l.mov", "l.m4v"])
def test_mp4_tracks_say_their_bcp_47_language(both: Callable[[str], Path], name: str) -> None:
    """An `elng` box with the tag between media header and handler, where ISO 639-2 does not say it; whole names."""
    made = both(name)
    assert [(kind, title, tag) for kind, title, tag, _ in tracks_of_mp4(made.read_bytes())[2:]] == [
        ("soun", "Português (Brasil) (dub)", "pt-BR"),
        ("soun", "Português (Portugal) (dub)", "pt-PT"),
        ("soun", "Español (dub)", ""),
        ("sbtl", "Português (Brasil)", "pt-BR") if name != "l.mov" else ("text", "Português (Brasil)", "pt-BR"),
        ("sbtl", "Português (Portugal)", "pt-PT") if name != "l.mov" else ("text", "Português (Portugal)", "pt-PT"),
        ("sbtl", "Español", "") if name != "l.mov" else ("text", "Español", ""),
    ]
    assert tracks_of_mp4(made.read_bytes())[2][3][:4] == [b"mdhd", b"elng", b"hdlr", b"minf"]
    streams = probe(made).of_kind("audio")[1:]
    assert [(stream.language, stream.title) for stream in streams] == [
        ("por", "Português (Brasil) (dub)"),
        ("por", "Português (Portugal) (dub)"),
        ("spa", "Español (dub)"),
    ]


def test_matroska_tracks_say_their_bcp_47_language(both: Callable[[str], Path]) -> None:
    """`LanguageBCP47` beside `Language`, the names whole, and a checksum that holds."""
    made = both("l.mkv")
    said = [
        (entry["22b59c"], entry.get("536e", b"").decode(), entry.get("22b59d"))
        for entry in tracks_of_matroska(made.read_bytes())
    ]
    assert said[2:] == [
        (b"por", "Português (Brasil) (dub)", b"pt-BR"),
        (b"por", "Português (Portugal) (dub)", b"pt-PT"),
        (b"spa", "Español (dub)", None),
        (b"por", "Português (Brasil)", b"pt-BR"),
        (b"por", "Português (Portugal)", b"pt-PT"),
        (b"spa", "Español", None),
    ]


def test_a_webm_keeps_to_its_subset(both: Callable[[str], Path]) -> None:
    """WebM has no element for it: names alone tell the two apart, and they are whole."""
    made = both("l.webm")
    assert b"\x22\xb5\x9d" not in made.read_bytes()[:4096]
    titles = [stream.title for stream in probe(made).of_kind("audio")[1:]]
    assert titles == ["Português (Brasil) (dub)", "Português (Portugal) (dub)", "Español (dub)"]


@pytest.mark.parametrize("length", [1, 100, 112, 113, 114, 130, 200])
def test_a_name_of_any_length_gives_its_room(make_media: Make, length: int) -> None:
    """Whatever the width of its size was with the tag in it, the name is whole and nothing else has moved."""
    title = "n" * length
    marked = ("-metadata:s:a:0", f"title={named(title, 'zh-Hant-HK', 'matroska')}")
    sound = ("-f", "lavfi", "-i", "anoisesrc=d=0.2:seed=1", "-fflags", "+bitexact")
    made = make_media("n.mka", *sound, *marked)
    size = made.stat().st_size
    matroska_tracks.set_languages(made)
    (entry,) = tracks_of_matroska(made.read_bytes())
    assert (entry["536e"].decode(), entry["22b59d"]) == (title, b"zh-Hant-HK")
    assert made.stat().st_size == size


def test_files_without_a_mark_are_left_as_they_are(click_video: Make) -> None:
    """Not a byte of a file is written in which no name is marked."""
    mp4, mkv = click_video("a.mp4"), click_video("a.mkv")
    before = mp4.read_bytes(), mkv.read_bytes()
    mp4_tracks.set_languages(mp4)
    matroska_tracks.set_languages(mkv)
    assert (mp4.read_bytes(), mkv.read_bytes()) == before
    assert len(tracks_of_matroska(before[1])) == 2  # by a checksum that ffmpeg wrote


def test_only_what_three_letters_cannot_say_is_marked() -> None:
    """Spanish is `spa` and nothing more; Brazilian Portuguese is more than `por`, and so is Mandarin than `zho`."""
    assert named("Español", "es", "mp4") == "Español"
    assert named("Galego", "gl", "matroska") == "Galego"
    assert named("Português", "pt-BR", "webm") == "Português"
    for tag in ("pt-BR", "cmn", "es-419", "sr-Latn"):
        found = taken_apart(named("x", tag, "mp4").encode())
        assert found is not None
        assert (found.name, found.tag) == (b"x", tag.encode())
    assert taken_apart("Português (Brasil)".encode()) is None
