"""Transcribe: speech to a script, each utterance with its words, times and confidence.

Where there are captions, what is heard only tells where their words lie: the text is theirs, its times are the sound's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

from manifests import glossary
from manifests.alike import asked_of_alike
from manifests.cues import Cue, read
from manifests.engines import chosen
from manifests.errors import DubError
from manifests.model import Job
from manifests.script import Diarization, Script, Turn, Word, dump, load
from manifests.spans import Span, merged, samples
from manifests.workspace import Workspace
from tasks import earlier_cut, licences
from tasks.activity import levels, voice
from tasks.captioned import Match, match, timed
from tasks.captions import ELSEWHERE, Written, ends_sentence
from tasks.captions import words as read_aloud
from tasks.earlier_cut import EARLIER
from tasks.engines import catalogue
from tasks.engines.protocols import Hearing
from tasks.sentences import sentence
from tasks.spoken_form import spoken as spoken_form
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.subtitles import UNSPACED
from tasks.utterances import pieces_of, sound_of, utterances

NAME: Final = "transcribe"
VERSION: Final = 6

_PADDING_S = 0.2  # quiet at both ends of a chunk: without it the first consonant and the last are misheard
_CHUNK_PAUSE_S = 0.5


def params(job: Job) -> Hearing:
    choice = chosen(job.course, "transcribe")
    language = job.course.source_language
    return Hearing(language, choice.name, choice.model, _terms(job, choice.name), options=choice.options)


def _terms(job: Job, engine: str) -> tuple[str, ...]:
    """The glossary's terms, for an engine that listens for some: to another, a new one is no reason to hear again."""
    if job.course.glossary is None or not getattr(catalogue.transcriber(engine), "hears_terms", True):
        return ()
    return glossary.load(job.manifest.parent / job.course.glossary).sources()


def transcribe(
    speech: Path,
    diarization: Diarization,
    wanted: Hearing,
    *,
    captions: Sequence[Cue] = (),
    cores: int = 1,
    tell: Callable[[float], None] = lambda share: None,
) -> Script:
    """The script of a lesson from its mono 16 kHz sound and its turns; empty where nobody speaks.

    Where captions are given the text is theirs as far as it is said; an utterance of which they have no word is flagged
    `not in the captions`. The same for any number of cores. Raises EngineUnavailable where the engine lacks what it
    takes, and StageFailed.
    """
    engine = catalogue.transcriber(wanted.engine)
    engine.check(wanted)
    sounding = voice(levels(speech)) if diarization.turns else ()
    parts = chunks(diarization, sounding, engine.longest_s)
    share = 0.7 if captions else 1.0
    words = engine.recognize(speech, parts, wanted, cores=cores, tell=lambda done: tell(share * done))
    written = partial(_as_written, language=wanted.language) if engine.writes else sentence
    if not captions:
        spoken, unrecognized = utterances(
            words,
            diarization.turns,
            sounding,
            exclusive=diarization.exclusive,
            text=written,
            ends=lambda word: engine.writes and ends_sentence(word.text),
        )
        return Script(wanted.language, spoken, unrecognized)
    told = read_aloud(captions, wanted.language)
    heard = _as_said(words, wanted.language) if engine.writes else list(words)
    align = partial(
        engine.align, speech, wanted=wanted, cores=cores, tell=lambda done: tell(share + (1 - share) * done)
    )
    aligned = _aligned(align, match(told, heard, parts), told, heard)
    theirs = frozenset(word for word, is_theirs in aligned if is_theirs)
    spoken, unrecognized = utterances(
        [word for word, _ in aligned],
        diarization.turns,
        sounding,
        exclusive=diarization.exclusive,
        text=lambda said: _text(said, theirs, written),
        ends=lambda word: (word in theirs or engine.writes) and ends_sentence(word.text),
    )
    flagged = tuple(
        item if theirs.intersection(item.words) else replace(item, flags=(*item.flags, ELSEWHERE)) for item in spoken
    )
    return Script(wanted.language, flagged, unrecognized)


def _aligned(
    align: Callable[[Sequence[tuple[Span, Sequence[str]]]], tuple[tuple[Span, ...] | None, ...]],
    matched: Match,
    written: Sequence[Written],
    heard: Sequence[Word],
) -> list[tuple[Word, bool]]:
    """The words of a lesson in order of time, and of each whether it is the captions'."""
    asked = [part for part in matched.parts if part.written]
    texts = [[word for at in part.written for word in written[at].spoken] for part in asked]
    found = align([(part.span, text) for part, text in zip(asked, texts, strict=True)])
    times = dict(zip(asked, found, strict=True))
    out: list[tuple[Word, bool]] = []
    for part in matched.parts:
        if part.written:
            out += [(word, True) for word in timed(part, written, times[part], heard)]
        else:
            out += [(heard[at], False) for at in part.heard]
    return out


def _text(words: Sequence[Word], theirs: frozenset[Word], written: Callable[[Sequence[Word]], str]) -> str:
    """The captions' words as they are written, heard words as a sentence of their own."""
    groups = groupby(words, key=lambda word: word in theirs)
    return " ".join(" ".join(word.text for word in run) if known else written(tuple(run)) for known, run in groups)


def _as_written(words: Sequence[Word], language: str) -> str:
    """Words of an engine that writes them with capitals and signs, as one text."""
    return ("" if language.partition("-")[0] in UNSPACED else " ").join(word.text for word in words)


def _as_said(words: Sequence[Word], language: str) -> list[Word]:
    """Written words as they are heard, to be laid beside captions: `1984,` is three, in equal shares of its time."""
    out: list[Word] = []
    for word in words:
        parts = spoken_form(word.text, language)
        edges = [word.span.start + word.span.length * at // max(1, len(parts)) for at in range(len(parts) + 1)]
        out += [
            replace(word, text=part, span=Span(one, other))
            for part, (one, other) in zip(parts, pairwise(edges), strict=True)
        ]
    return out


def chunks(diarization: Diarization, sounding: tuple[Span, ...], longest_s: float) -> tuple[Span, ...]:
    """What the recognizer hears at a time: speech between pauses, `longest_s` at most where pauses permit.

    Each with quiet at both ends, up to the middle of the pause; none overlap. Where one speaker follows another, a new
    chunk begins.
    """
    everyone = [Turn("", span) for span in diarization.speech]
    runs = sound_of("", everyone, sounding)
    cut = [
        Span(group[0].start, group[-1].end)
        for part in _cut_at(runs, _changes(diarization.turns, runs))
        for group in pieces_of(part, pause_s=_CHUNK_PAUSE_S, longest_s=longest_s)
    ]
    reach = samples(_PADDING_S)
    out: list[Span] = []
    for index, span in enumerate(cut):
        before = (cut[index - 1].end + span.start) // 2 if index else 0
        after = (span.end + cut[index + 1].start) // 2 if index + 1 < len(cut) else span.end + reach
        out.append(Span(max(before, span.start - reach), min(after, span.end + reach)))
    return tuple(out)


def _changes(turns: tuple[Turn, ...], runs: tuple[Span, ...]) -> list[int]:
    """Where another speaker begins when nobody else speaks: in the longest pause near the turns' edges, if any."""
    reach = samples(_PADDING_S)
    out: list[int] = []
    end, speaker = 0, ""
    for turn in sorted(turns, key=lambda turn: turn.span):
        start = turn.span.start
        if turn.speaker != speaker and start >= end and speaker:
            first = bisect_left(runs, end - reach, key=lambda run: run.end)
            last = bisect_left(runs, start + reach, key=lambda run: run.start)
            pauses = [Span(one.end, other.start) for one, other in pairwise(runs[max(0, first - 1) : last + 1])]
            pauses = [pause for pause in pauses if pause.overlap(Span(max(0, end - reach), start + reach))]
            widest = max(pauses, key=lambda pause: pause.length, default=Span(end, start))
            out.append((widest.start + widest.end) // 2)
        if turn.span.end >= end:
            end, speaker = turn.span.end, turn.speaker
    return sorted(out)


def _cut_at(runs: tuple[Span, ...], places: list[int]) -> list[list[Span]]:
    """Runs in groups that end where a new speaker begins."""
    groups: list[list[Span]] = [[]]
    waiting = list(places)
    for run in merged(runs):
        rest = run
        while waiting and waiting[0] < rest.end:
            place = waiting.pop(0)
            if place > rest.start:
                groups[-1].append(Span(rest.start, place))
                rest = Span(place, rest.end)
            groups.append([])
        groups[-1].append(rest)
    return [group for group in groups if group]


def run(wanted: Hearing, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    speech, diarization = inputs["split/speech.wav"], load(Diarization, inputs["diarize/turns.json"])
    captions = read(inputs["captions"]).cues if "captions" in inputs else ()
    listen = partial(transcribe, speech, wanted=wanted, captions=captions, cores=bench.cores, tell=bench.tell)
    notes: dict[str, int] = {}
    objects = (inputs[EARLIER].name,) if EARLIER in inputs else ()
    if EARLIER in inputs:
        known = earlier_cut.kept(speech, diarization, earlier_cut.read(inputs[EARLIER]))
        script = earlier_cut.joined(listen(earlier_cut.rest(diarization, speech, known)), known)
        notes = {"as_before": len(known.utterances)}
    else:
        script = listen(diarization)
    notes |= {"utterances": len(script.utterances), "unrecognized": len(script.unrecognized)}
    return Made({"script.json": dump(script, bench.scratch / "script.json")}, objects, notes=notes)


def given(job: Job) -> dict[str, Path]:
    """The captions that the manifest names for a lesson."""
    return {"captions": job.manifest.parent / job.lesson.captions} if job.lesson.captions else {}


def check(job: Job) -> None:
    """Raises EngineUnavailable where the engine lacks what it takes."""
    wanted = params(job)
    licences.require(job, NAME, wanted)
    catalogue.transcriber(wanted.engine).check(wanted)


def engine(job: Job) -> Engine:
    wanted = params(job)
    return catalogue.transcriber(wanted.engine).identity(wanted)


def lines_to_keep(job: Job, last_keys: Mapping[tuple[str, str, str], str], space: Workspace) -> int:
    """How many lines another cut of a lesson may keep, by the ledger's latest keys; 0 where no engine could tell."""
    try:
        return earlier_cut.lines_to_keep(job, last_keys, NAME, (VERSION, params(job), engine(job)), space)
    except DubError:
        return 0


def found(job: Job, inputs: Mapping[str, Path]) -> dict[str, Path]:
    """What is known of the cut that this one replaces."""
    hearing, by = asked_of_alike(lambda job: (params(job), engine(job)), job, ("heard", NAME))
    return earlier_cut.file_of(job, inputs, NAME, VERSION, hearing, by)


STAGE = Stage(
    name=NAME,
    version=VERSION,
    scope="lesson",
    needs=("split/speech.wav", "diarize/turns.json"),
    makes=("script.json",),
    params=params,
    run=run,
    given=given,
    found=found,
    engine=engine,
    check=check,
)
