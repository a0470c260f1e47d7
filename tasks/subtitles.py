"""Subtitles from what is said and when: cues that people can read, and no word lost.

The limits are the field's (Netflix' timed text style guide, general requirements): at most two rows, 5/6 s to 7 s a
cue, two frames between cues. They bend in this order where a line leaves too little room: the end of a cue follows the
voice, the shortest cue is shorter, a cue starts late; a word is never dropped and no two cues are ever shown at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from unicodedata import bidirectional

from manifests import emphasis
from manifests.script import Lines, Script
from manifests.spans import RATE, Span, samples
from manifests.timeline import Timeline

SHORTEST = samples(5 / 6)
LONGEST = samples(7.0)
SQUEEZED = samples(0.4)
"""From one start to the next where there is no room for more."""
READING_SPEED = 17.0
READING_SPEEDS = {"ar": 20.0, "en": 20.0, "hi": 22.0, "ja": 4.0, "ko": 12.0, "zh": 9.0}
"""Characters a second that adults read at ease (Netflix' guides), where it is not 17; a cue with more stays a little
longer where there is room."""
LINGER_FRAMES = 12
"""For so many frames a cue may stay behind its voice."""
TOGETHER = samples(0.5)
"""Two lines that overlap by more than this, or by half of the shorter one, are simultaneous and share a cue."""
ALONE = samples(2.0)
"""A disclosure that has less than this before the first line joins it."""
DASH = "- "

ROW = 42
ROWS = {"ja": 23, "ko": 16, "zh": 16, "th": 35}
"""Characters a row, where a language's script is denser than 42 allow."""
RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
MARK = "\u200f"
"""Right-to-left mark: keeps a row's direction, and the place of its punctuation, where it begins or ends in Latin."""
UNSPACED = frozenset({"ja", "zh", "th"})

LEADING = {
    "ca": "i o però perquè que si quan com on de del a en amb per sense fins des",
    "de": "und oder aber weil dass wenn als wie wo von zu in mit für ohne bis aus bei nach",
    "en": "and or but because that if when as where of to in with for without until from by at on",
    "es": "y e o u pero porque que si cuando como donde de del a al en con por para sin hasta desde",
    "fr": "et ou mais car parce que qui si quand comme où de du des à au en avec par pour sans jusque dans",
    "gl": "e ou pero porque que se cando como onde de do da a ao en con por para sen ata desde",
    "it": "e o ma perché che se quando come dove di del della a al in con per senza fino da",
    "pt": "e ou mas porque que se quando como onde de do da a ao em no na com por para sem até desde",
}
"""Words before which a row may end: conjunctions and prepositions."""
ARTICLES = {
    "ca": "el la els les un una uns unes lo los",
    "de": "der die das den dem des ein eine einen einem einer",
    "en": "the a an",
    "es": "el la los las un una unos unas lo",
    "fr": "le la les un une",
    "gl": "o a os as un unha uns unhas",
    "it": "il lo la i gli le un uno una",
    "pt": "o a os as um uma uns umas",
}
"""Words after which a row should not end, no more than after these:"""
AUXILIARIES = {
    "ca": "he has ha hem heu han havia havien vaig vas va vam vau van és són està estan no es em et ens us",
    "de": "habe hast hat haben hatte hatten bin bist ist sind war waren wird werden kann ich er sie es wir",
    "en": "have has had am is are was were will would can could do does did not i you he she it we they",
    "es": "he has ha hemos habéis han había habían es son está están no se me te nos os le les lo",
    "fr": "ai as a avons avez ont avait avaient est sont était ne se me te nous vous je tu il elle on ils elles",
    "gl": "hei ten teñen é son está están non se me te nos vos lle lles",
    "it": "ho hai ha abbiamo avete hanno aveva avevano è sono era erano non si mi ti ci vi io tu lui lei noi loro",
    "pt": "tem têm tinha tinham é são está estão foi foram não se me te nos vos lhe lhes eu ele ela eles elas",
}
"""Auxiliary verbs, pronouns before a verb, and what negates one."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown, and when; one or two rows."""

    span: Span
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of one line, on its way to a cue."""

    line: int
    span: Span
    words: tuple[str, ...]


def cues(
    script: Script,
    lines: Lines,
    timeline: Timeline,
    *,
    frame_rate: float = 25.0,
    disclosure: str = "",
    announced: Span | None = None,
) -> tuple[Cue, ...]:
    """The subtitles of a target, in order.

    A line is shown while its voice is heard; one that has no place in the timeline, while the source's speaker says
    it. Every word of every line is shown. `disclosure` is a sentence shown before the first line, or with it where no
    time is before it; and while it is spoken, where that is `announced`.
    """
    placed = {placement.line: placement.span for placement in timeline.placements}
    source = {utterance.id: utterance.span for utterance in script.utterances}
    setting = _Setting.of(lines.language, max(1, round(RATE / frame_rate)))
    spoken = sorted(
        (span.clipped(Span(0, timeline.length)), emphasis.plain(line.text))
        for line in lines.lines
        if line.text.strip() and (span := placed.get(line.id, source.get(line.id))) is not None
    )
    if disclosure.strip():
        first = spoken[0][0] if spoken else Span(timeline.length, timeline.length)
        if announced is not None:
            spoken = sorted([*spoken, (announced, disclosure)])
        if announced is None or announced.start > first.start:
            alone = Span(0, min(first.start, samples(4.0)))
            joined = Span(first.start, min(first.end, first.start + samples(4.0)))
            spoken.insert(0, (alone if alone.length >= ALONE else joined, disclosure))
    together = _simultaneous([span for span, _ in spoken])
    pieces: list[_Piece] = []
    for number, (span, text) in enumerate(spoken):
        pieces.extend(setting.divided(number, span, text, rows=1 if number in together else 2))
    shown_cues = _laid_out(setting.shown(pieces, together), timeline.length, setting)
    return tuple(replace(cue, rows=tuple(map(_marked, cue.rows))) for cue in shown_cues) if setting.rtl else shown_cues


def to_srt(shown: Iterable[Cue]) -> str:
    """SubRip text."""
    return "".join(
        f"{number}\n{_stamp(cue.span.start, ',')} --> {_stamp(cue.span.end, ',')}\n{_text(cue)}\n\n"
        for number, cue in enumerate(shown, 1)
    )


def to_vtt(shown: Iterable[Cue], header: str = "") -> str:
    """WebVTT text (W3C), in which `&` and `<` are written as entities; `header` is a row of its head."""
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    return f"WEBVTT\n{header}{chr(10) * bool(header)}\n" + "".join(
        f"{_stamp(cue.span.start, '.')} --> {_stamp(cue.span.end, '.')}\n{_text(cue).translate(escapes)}\n\n"
        for cue in shown
    )


def _text(cue: Cue) -> str:
    return "\n".join(row.replace("-->", "→") for row in cue.rows)


def _stamp(at: int, point: str) -> str:
    milliseconds = at * 1000 // RATE
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{rest:03}"


def _marked(row: str) -> str:
    """A row of a right-to-left script with marks where a player would take it for another direction."""
    strong = [kind for character in row if (kind := bidirectional(character)) in {"L", "R", "AL", "EN"}]
    before = MARK if strong and strong[0] in {"L", "EN"} else ""
    after = MARK if strong and strong[-1] in {"L", "EN"} and bidirectional(row[-1]) not in {"L", "R", "AL"} else ""
    return f"{before}{row}{after}"


def too_fast(shown: Iterable[Cue], language: str) -> int:
    """How many cues are shown too briefly to be read at ease."""
    speed = READING_SPEEDS.get(language.lower().split("-", maxsplit=1)[0], READING_SPEED)
    return sum(sum(map(len, cue.rows)) * RATE > speed * cue.span.length * 1.05 for cue in shown)


def _simultaneous(spans: Sequence[Span]) -> frozenset[int]:
    """Numbers of the spans (in order of start) that sound at the same time as another one."""
    found: set[int] = set()
    sounding: list[int] = []
    for number, span in enumerate(spans):
        sounding = [other for other in sounding if spans[other].end > span.start]
        for other in sounding:
            shorter = min(span.length, spans[other].length)
            if span.overlap(spans[other]) > min(TOGETHER, shorter // 2):
                found |= {number, other}
        sounding.append(number)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Setting:
    """How a language is set in rows."""

    row: int
    space: str
    leading: frozenset[str]
    joined: frozenset[str]
    """Words that belong to the one behind them: articles, auxiliaries, and what leads a phrase."""
    frame: int
    """Samples of a frame of the picture; two of them lie between cues."""
    speed: float
    """Characters a second."""
    rtl: bool
    names: bool
    """Whether only names have capitals within a sentence."""

    @classmethod
    def of(cls, language: str, frame: int) -> _Setting:
        base = language.lower().split("-")[0]
        space = "" if base in UNSPACED else " "
        tables = (LEADING, ARTICLES, AUXILIARIES)
        leading, articles, auxiliaries = (frozenset(table.get(base, "").split()) for table in tables)
        speed = READING_SPEEDS.get(base, READING_SPEED)
        cut = leading | articles | auxiliaries
        return cls(ROWS.get(base, ROW), space, leading, cut, frame, speed, base in RIGHT_TO_LEFT, base != "de")

    def divided(self, line: int, span: Span, text: str, rows: int) -> list[_Piece]:
        """A line in as many pieces as its length and its time want, each with its share of the time."""
        words = self._words(text)
        row = self.row - (len(DASH) if rows == 1 else 0)
        parts = self._parts(words, row, rows, -(-span.length // LONGEST))
        total = sum(self._width(part) for part in parts)
        pieces, before = list[_Piece](), 0
        for part in parts:
            after = before + self._width(part)
            share = Span(
                span.start + span.length * before // total,
                span.start + span.length * after // total,
            )
            pieces.append(_Piece(line, share, part))
            before = after
        return pieces

    def shown(self, pieces: Sequence[_Piece], together: frozenset[int]) -> list[Cue]:
        """Pieces as cues in order of start: two that sound at once share one, each after a dash."""
        waiting = sorted(pieces, key=lambda piece: (piece.span.start, piece.line))
        out: list[Cue] = []
        while waiting:
            piece = waiting.pop(0)
            partner = next(
                (
                    other
                    for other in waiting
                    if other.line != piece.line
                    and piece.line in together
                    and other.line in together
                    and piece.span.overlap(other.span) * 2 > min(piece.span.length, other.span.length)
                    and not any(between.line == other.line for between in waiting[: waiting.index(other)])
                ),
                None,
            )
            if partner is None:
                out.append(Cue(piece.span, self._rows(piece.words, self.row)))
                continue
            waiting.remove(partner)
            span = Span(piece.span.start, max(piece.span.end, partner.span.end))
            rows = sorted((piece, partner), key=lambda piece: piece.line)  # whoever began first stays in the upper row
            out.append(Cue(span, tuple(DASH + self.space_join(row.words) for row in rows)))
        return out

    def space_join(self, words: Sequence[str]) -> str:
        return self.space.join(words)

    def _words(self, text: str) -> tuple[str, ...]:
        """What may not be broken: words, or single characters with the punctuation that clings to them."""
        if self.space:
            return tuple(text.split())
        return tuple(
            re.findall(
                r"[A-Za-z0-9]+\S?|.[、。，．！？：；）」』】ー…\u0e30-\u0e3a\u0e45-\u0e4e]*", " ".join(text.split())
            )
        )

    def _width(self, words: Sequence[str]) -> int:
        return sum(map(len, words)) + len(self.space) * (len(words) - 1)

    def _parts(self, words: tuple[str, ...], row: int, rows: int, least: int) -> list[tuple[str, ...]]:
        """Words in the fewest parts (at least `least`) that each fit `rows` rows, cut where it reads best."""
        fewest = max(1, least, -(-self._width(words) // ((row + 1) * rows)))
        for count in range(min(fewest, len(words)), len(words) + 1):
            parts = self._cut(words, count, row, rows)
            if parts is not None:
                return parts
        return [(word,) for word in words]

    def _cut(self, words: tuple[str, ...], count: int, row: int, rows: int) -> list[tuple[str, ...]] | None:
        """The best cut into exactly `count` parts, or None where none fits; dynamic programming over the words."""
        ideal = self._width(words) / count
        best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
        for _ in range(count):
            reached: dict[int, tuple[float, int]] = {}
            for start, (cost, _) in best[-1].items():
                for end in range(start + 1, len(words) + 1):
                    part = words[start:end]
                    if not self._fits(part, row, rows):
                        break
                    here = cost + (self._width(part) / ideal - 1) ** 2
                    here += self._break_cost(words, end) if end < len(words) else 0.0
                    if end not in reached or here < reached[end][0]:
                        reached[end] = (here, start)
            best.append(reached)
        if len(words) not in best[-1]:
            return None
        ends = [len(words)]
        for reached in reversed(best[1:]):
            ends.append(reached[ends[-1]][1])
        ends.reverse()
        return [words[a:b] for a, b in pairwise(ends)]

    def _fits(self, words: Sequence[str], row: int, rows: int) -> bool:
        if len(words) == 1 or self._width(words) <= row:
            return True
        return rows == 2 and any(self._two_fit(words, at, row) for at in range(1, len(words)))

    def _two_fit(self, words: Sequence[str], at: int, row: int) -> bool:
        return self._width(words[:at]) <= row and self._width(words[at:]) <= row

    def _rows(self, words: tuple[str, ...], row: int) -> tuple[str, ...]:
        """One row, or the two that are most alike in length and break where it reads best."""
        breaks = [at for at in range(1, len(words)) if self._two_fit(words, at, row)]
        if self._width(words) <= row or not breaks:
            return (self.space_join(words),)

        def cost(at: int) -> float:
            upper, lower = self._width(words[:at]), self._width(words[at:])
            top_heavy = 0.1 if upper > lower else 0.0
            return abs(upper - lower) / (upper + lower) + self._break_cost(words, at) + top_heavy

        at = min(breaks, key=cost)
        return self.space_join(words[:at]), self.space_join(words[at:])

    def _name(self, words: Sequence[str], at: int) -> bool:
        """Whether the words around a break are a name and a surname: both have capitals, and no sentence begins there.

        Where every noun has one, as in German, it tells nothing.
        """
        if not self.names or at < 2 or words[at - 2][-1] in ".!?…":
            return False
        return words[at - 1][:1].isupper() and words[at][:1].isupper()

    def _break_cost(self, words: Sequence[str], at: int) -> float:
        """How badly a break before word `at` reads: 0 at a sentence's end, 1 after an article or within a name."""
        before, after = words[at - 1], words[at].strip("¿¡\"'«“(").lower()
        if before[-1] in ".!?…。！？":
            return 0.0
        if before[-1] in ",;:、，；：":
            return 0.1
        if before.lower() in self.joined or self._name(words, at):
            return 1.0
        return 0.2 if after in self.leading else 0.5


def _laid_out(shown: list[Cue], length: int, setting: _Setting) -> tuple[Cue, ...]:
    """Cues moved apart so that none overlaps the next, and given the time to be read where there is room."""
    if not shown:
        return ()
    least = max(1, min(SQUEEZED, length // len(shown)))
    starts = [cue.span.start for cue in shown]
    for number in range(1, len(starts)):
        starts[number] = max(starts[number], starts[number - 1] + least)
    latest = length
    for number in reversed(range(len(starts))):
        latest -= least
        starts[number] = latest = min(starts[number], latest)
    out: list[Cue] = []
    for number, (cue, start) in enumerate(zip(shown, starts, strict=True)):
        last = number + 1 == len(shown)
        room = (length if last else starts[number + 1] - min(2 * setting.frame, least // 2)) - start
        wanted = max(cue.span.end - start, SHORTEST)
        readable = round(sum(map(len, cue.rows)) / setting.speed * RATE)
        wanted = max(wanted, min(readable, wanted + LINGER_FRAMES * setting.frame))
        out.append(replace(cue, span=Span(start, start + max(1, min(wanted, LONGEST, room)))))
    return tuple(out)
