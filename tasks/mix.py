"""Mix: the dub's lines over the original's background, at the loudness that is asked for.

The programme is heard twice, block by block: once to learn its loudness and where its background can be heard alone,
once to mix. Nothing that is kept grows with its length but a few numbers a second.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from manifests.engines import version
from manifests.errors import StageFailed
from manifests.model import Job
from manifests.script import Diarization, Script, dump, load
from manifests.spans import RATE, Span
from manifests.timeline import Placement, Take, Takes, Timeline
from tasks.ahead import ahead
from tasks.announcement import LINE, Announcement, announcement
from tasks.bed import silenced, spoken, without
from tasks.dub_lines import DubLines
from tasks.ducking import Ducking
from tasks.engines import hdemucs
from tasks.engines.hdemucs import Separator
from tasks.engines.models import sha256_of
from tasks.headroom import OTHERWISE, headroom_of
from tasks.held_source import held_programme
from tasks.holding import held_diarization, held_script
from tasks.leakage import AUDIBLE_DB
from tasks.levels import FITTED, Target, fitted_gain, line_levels, steps_of, target
from tasks.limiter import PeakMeter
from tasks.loudness import PROFILES, Name, Steps, integrated
from tasks.media import Media
from tasks.position import position, voiceless
from tasks.render import Done, Renderer, sink
from tasks.room_tone import Background, Kind
from tasks.separation import Separation
from tasks.split import has_centre
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.stretch import stretch
from tasks.stretching import read_take, stretched
from tasks.survey import Heard, Original, survey
from tasks.underlay import Method, Underlay, parts
from voiceclone.threads import torch_threads

if TYPE_CHECKING:
    pass

CLOSE = 0.2
"""LU from the target at which no further pass is worth its time; the promise is 0.5."""

SQUEEZED = 10.0
"""Decibels of limiting from which the dub is not made louder still: it would be heard."""

_PASSES = 3


@dataclass(frozen=True, slots=True)
class Params:
    loudness: Name = "source"
    background: Method = "auto"
    ducking: Ducking = Ducking()  # noqa: RUF009 - frozen
    marked: bool = True
    """Whether the lines get the watermark."""
    container: str = "source"
    announced: str = ""
    """The language in which the dub says that its voices are synthetic; empty where it does not."""


@dataclass(frozen=True, slots=True)
class LineLevel:
    """How loud one line is."""

    line: str
    source_lufs: float | None
    """Loudness of the source's line; None where it is inaudible."""
    take_lufs: float | None
    """Loudness of the take as it came; None where it is silent."""
    gain_db: float
    """All gains of the line together, before the limiter."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What the mix measures."""

    profile: str
    source_lufs: float | None
    """Integrated loudness of the source's whole track; None for silence, here and below."""
    speech_lufs: float | None
    """Loudness of the source's speech."""
    target_lufs: float | None
    """What the profile asks for: of the programme, or of its speech (`netflix`)."""
    integrated_lufs: float | None
    true_peak_dbtp: float | None
    background: Kind
    """What lies under the dub for the most part."""
    background_gain_db: float
    dub_gain_db: float
    """Gain of all lines beyond what makes each as loud as the one that it replaces."""
    limited_db: float
    """The limiter's deepest gain reduction."""
    dialogue_lufs: float | None = None
    """Loudness of what sounds while a line is spoken, ungated (BS.1770-1)."""
    largest_step_lu: float | None = None
    """The largest difference in loudness between a line and the next; None with fewer than two."""
    background_s: dict[Kind, float] = field(default_factory=dict[Kind, float])
    """Seconds of each kind of background."""
    lowered_db: float = 0.0
    """The most by which the background gives way to the dub."""
    leakage_db: float | None = None
    """How loud the original's voice still is in the background, measured against itself; -60 is as good as gone, None
    means that too little was heard to tell."""
    lines: tuple[LineLevel, ...] = ()
    notes: tuple[str, ...] = ()
    announcement: Announcement | None = None
    """The spoken disclosure, where one was asked for and there is anything to disclose."""


def mix(
    programme: Path,
    diarization: Diarization,
    script: Script,
    takes: Takes,
    timeline: Timeline,
    *,
    audio: Callable[[Take], Path],
    out: Path,
    scratch: Path,
    asked: Name = "source",
    centre: bool | None = None,
    marked: bool = True,
    headroom: float = OTHERWISE,
    method: Method = "auto",
    ducking: Ducking = Ducking(),  # noqa: B008 - frozen
    separator: Separator | None = None,
    announced: tuple[Announcement, Path] | None = None,
    cores: int = 1,
    tell: Callable[[float], None] = lambda share: None,
) -> Mix:
    """Mix a target into `out`: 48 kHz, the programme's channels, `timeline.length` samples; 24-bit FLAC, or floats in
    Wave64, which is written much faster, where `out` ends in `.w64`.

    The lines are heard from the centre channel (the third) where `centre` says that there is one, else from where the
    original's were between the first two; None tells it from the number of channels. Channels in which the original's
    voice is not heard stay as they are. Synthetic lines, which are all but those of a `recorded` voice, carry the
    watermark where `marked` says so, and so does the spoken disclosure, `announced` with its sound, as loud as the
    median line. `audio` finds a take's sound; `scratch` is a folder for the stretched lines (192 kB a second of
    speech). `headroom` decibels are kept free under the profile's true peak for what encoding adds. `method` and
    `ducking` say what lies under the dub (`tasks.underlay`); without a `separator` nothing is separated. A lesson
    without lines keeps its own sound. Deterministic, on any number of `cores`.

    Raises StageFailed for a placement without a take, and for a programme or a take that is not at 48 kHz;
    EngineUnavailable where the watermark cannot be loaded.
    """
    import soundfile

    by_line = {take.line: take for take in takes.takes}
    for placement in timeline.placements:
        if placement.line not in by_line:
            raise StageFailed("the timeline places a line that has no take.", stage="mix", line=placement.line)
    heard_takes = [by_line[placement.line] for placement in timeline.placements]
    jobs = [(audio(take), place.span.length) for take, place in zip(heard_takes, timeline.placements, strict=True)]
    with ahead(stretched(jobs, cores), 8 * cores) as sounds, soundfile.SoundFile(programme) as source:
        if source.samplerate != RATE:
            raise StageFailed(f"the programme is at {source.samplerate} Hz, not {RATE}.", stage="mix")
        original = Original(source, timeline.length)
        heard = survey(original, lambda share: tell(0.2 * share))
        if not timeline.placements and not timeline.unplaced:
            original.offset[:] = 0
            return _unchanged(original, programme, out, heard)
        speech = _integrated_in(heard.steps, diarization.speech)
        share = sum(placement.span.length for placement in timeline.placements) / original.length
        asks = PROFILES[asked].suited(share)
        aim = target(asks, PROFILES["web"], integrated(heard.steps), speech)
        background = Background.of(heard.powers, spoken(diarization, script), timeline.length)
        central = original.channels == 3 or original.channels >= 5 if centre is None else centre
        lines = DubLines(scratch / "lines.f32", original.channels, marked=marked)
        spans = {utterance.id: utterance.span for utterance in script.utterances}
        for count, (placement, take, sound) in enumerate(zip(timeline.placements, heard_takes, sounds, strict=True)):
            said = (spans.get(placement.line, placement.span),)
            gains = position(heard.by_channel, said, background.clean, central)
            lines.add(placement, sound, gains, synthetic=take.voice.kind != "recorded")
            tell(0.2 + 0.3 * count / len(timeline.placements))
        under = [_integrated_in(heard.steps, (spans.get(p.line, p.span),)) for p in timeline.placements]
        raised = [by_line[placement.line].energy for placement in timeline.placements]
        usual = line_levels(under, aim.lufs - aim.line_offset)
        levels = [level + more for level, more in zip(usual, raised, strict=True)]
        if announced is not None and announced[0].span is not None:
            told, sound = announced[0].span, read_take(announced[1])
            gains = position(heard.by_channel, diarization.speech, background.clean, central)
            lines.add(Placement(LINE, told, announced[0].rate or 1.0), stretch(sound, told.length), gains)
            levels.append(float(np.median(usual)))
        lines.level([level + aim.line_offset for level in levels])

        gone = silenced(diarization, script, timeline, background)
        spans, kept = parts(gone, announced[0].span if announced else None)
        underlay = Underlay(
            method=method,
            ducking=ducking,
            background=background,
            steps=heard.steps,
            read=original.read,
            channels=original.channels,
            dub=tuple(placement.span for placement in timeline.placements),
            kept=kept,
            separation=Separation(
                separator.background, hdemucs.RATE, original.read, original.channels, original.length, scratch
            )
            if separator
            else None,
        )
        recognized = without(diarization.speech, script.unrecognized, timeline.length)
        renderer = Renderer(
            original,
            lines,
            spans=spans,
            underlay=underlay,
            speech=recognized,
            free=voiceless(heard.by_channel, recognized),
            aim=aim,
            headroom=headroom,
            tell=tell,
        )
        gain = fitted_gain(renderer.expected_bed(heard.steps), lines.steps(len(heard.steps)), aim)
        gain = renderer.rehearsed(gain)
        done = renderer.render(out, gain)
        for _ in range(_PASSES - 1):
            off = aim.lufs - done.lufs
            nearer = min(max(gain + off, -FITTED), FITTED)
            if abs(off) <= CLOSE or abs(nearer - gain) < CLOSE / 2 or (off > 0 and done.limited_db > SQUEEZED):
                break
            gain = nearer
            done = renderer.render(out, gain)
    return Mix(
        profile=aim.profile.name,
        source_lufs=_number(integrated(heard.steps)),
        speech_lufs=_number(speech),
        target_lufs=_number(aim.lufs),
        integrated_lufs=_number(integrated(done.steps)),
        true_peak_dbtp=_number(done.true_peak_dbtp),
        background=done.background,
        background_gain_db=round(aim.background_db, 2),
        dub_gain_db=round(gain, 2),
        limited_db=round(done.limited_db, 2),
        background_s=done.kinds,
        lowered_db=round(done.lowered_db, 2),
        leakage_db=None if done.leakage_db is None else round(done.leakage_db, 1),
        dialogue_lufs=_number(done.dialogue_lufs),
        largest_step_lu=_largest_step(lines),
        lines=tuple(
            LineLevel(line.line, _number(source), _number(line.lufs), round(line.gain_db + gain, 2))
            for line, source in zip(lines.lines, under, strict=False)
        ),
        notes=(*aim.notes, *_notes(done, aim, background, lines), *_faults(original)),
        announcement=announced[0] if announced else None,
    )


def _unchanged(original: Original, programme: Path, out: Path, heard: Heard) -> Mix:
    """A lesson in which nothing is said keeps its own sound, to the sample."""
    if original.own_length == original.length and programme.suffix == out.suffix:
        shutil.copyfile(programme, out)
    else:
        with sink(out, original.channels) as file:
            for block in original.blocks():
                file.write(block)
    peak = PeakMeter()
    for block in original.blocks():
        peak.add(block)
    level = _number(integrated(heard.steps))
    return Mix("source", level, None, level, level, _number(peak.dbtp), "original", 0.0, 0.0, 0.0)


def _integrated_in(steps: Steps, spans: Sequence[Span]) -> float:
    parts = [steps[steps_of(span.start, span.end)] for span in spans]
    return integrated(np.concatenate(parts)) if parts else float("-inf")


def _notes(done: Done, aim: Target, background: Background, lines: DubLines) -> Iterator[str]:
    off = done.lufs - aim.lufs
    if abs(off) > 0.5:
        why = "the true peak allows no more" if off < 0 and done.limited_db > SQUEEZED else "the background decides it"
        yield f"loudness is {off:+.1f} LU from the target: {why}"
    if not background.alone:
        yield "the source's background is nowhere heard alone: its quietest moments stand in"
    if done.background == "continued":
        yield "the source's background is tonal: it is continued from itself under the dub"
    if done.lowered_db >= 1:
        yield f"the background is lowered by up to {done.lowered_db:.0f} dB while the dub speaks"
    if done.leakage_db is not None and done.leakage_db > AUDIBLE_DB:
        yield f"the original's voice is left in the background, {-done.leakage_db:.0f} dB below its own level"
    for line in lines.lines:
        if not np.isfinite(line.lufs):
            yield f"line {line.line} is silent"


def _faults(original: Original) -> Iterator[str]:
    if original.offset.any():
        yield f"the source has a constant offset of {np.abs(original.offset).max():.3f} of full scale: it is taken out"


def _largest_step(lines: DubLines) -> float | None:
    """Between neighbours, silent ones and the spoken disclosure left out."""
    levels = [line.lufs + line.gain_db for line in lines.lines if line.line != LINE and np.isfinite(line.lufs)]
    return round(max(abs(b - a) for a, b in pairwise(levels)), 2) if len(levels) > 1 else None


def _number(level: float) -> float | None:
    return round(level, 2) if np.isfinite(level) else None


def _params(job: Job) -> Params:
    delivery = job.course.delivery
    return Params(
        loudness=delivery.loudness,
        background=delivery.background,
        ducking=Ducking(delivery.ducking.depth, delivery.ducking.attack, delivery.ducking.release),
        marked=delivery.disclosure.watermark,
        container=delivery.container,
        announced=(job.language or "") if delivery.disclosure.spoken else "",
    )


def _engine(job: Job) -> Engine | None:
    """Who separates, where somebody may."""
    path = hdemucs.weights() if job.course.delivery.background in ("auto", "separate") else None
    return Engine("hdemucs", version("torchaudio"), sha256_of(path)) if path else None


def _check(job: Job) -> None:
    if job.course.delivery.background == "separate":
        hdemucs.check()


def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
    """The stage: see `mix`."""
    media = load(Media, inputs["split/media.json"])
    script, timeline = load(Script, inputs["transcribe/script.json"]), load(Timeline, inputs["place/timeline.json"])
    path = hdemucs.weights() if params.background in ("auto", "separate") else None
    if params.background == "separate":
        hdemucs.check()
    holds = timeline.holds
    script = held_script(script, holds)
    told = announcement(params.announced, script, timeline, bench.store) if params.announced else None
    with torch_threads(bench.cores) if params.marked else nullcontext():
        result = mix(
            held_programme(inputs["split/programme.flac"], holds, bench.scratch / "held.flac"),
            held_diarization(load(Diarization, inputs["diarize/turns.json"]), holds),
            script,
            load(Takes, inputs["synthesize/takes.json"]),
            timeline,
            audio=lambda take: bench.store.get(take.audio),
            out=bench.scratch / "dub.flac",
            scratch=bench.scratch,
            asked=params.loudness,
            centre=has_centre(media.dubbed),
            marked=params.marked,
            headroom=headroom_of(media, params.container),
            method=params.background,
            ducking=params.ducking,
            separator=Separator.load(path) if path else None,
            announced=(told, bench.store.get(told.audio)) if told else None,
            cores=bench.cores,
            tell=bench.tell,
        )
    return Made(
        outputs={"dub.flac": bench.scratch / "dub.flac", "mix.json": dump(result, bench.scratch / "mix.json")},
        objects=(told.audio,) if told else (),
        notes={"integrated_lufs": result.integrated_lufs, "true_peak_dbtp": result.true_peak_dbtp},
    )


STAGE = Stage(
    name="mix",
    version=8,
    scope="target",
    needs=(
        "split/media.json",
        "split/programme.flac",
        "diarize/turns.json",
        "transcribe/script.json",
        "synthesize/takes.json",
        "place/timeline.json",
    ),
    makes=("dub.flac", "mix.json"),
    params=_params,
    run=run,
    engine=_engine,
    check=_check,
)
