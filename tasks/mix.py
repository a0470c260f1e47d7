"""Mix: the dub's lines over the original's background, at the loudness that is asked for.

The programme is heard twice, block by block: once to learn its loudness and where its background can be heard alone,
once to mix. Nothing that is kept grows with its length but a few numbers a second.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from manifests.engines import version
from manifests.errors import StageFailed
from manifests.model import Job
from manifests.script import Diarization, Script, dump, load
from manifests.spans import RATE
from manifests.timeline import Take, Takes, Timeline
from tasks.ahead import ahead
from tasks.announcement import announcement
from tasks.ducking import Ducking
from tasks.engines import hdemucs
from tasks.engines.hdemucs import Separator
from tasks.engines.models import sha256_of
from tasks.headroom import headroom_of
from tasks.held_source import held_programme
from tasks.holding import held_diarization, held_script
from tasks.levels import FITTED, fitted_gain
from tasks.limiter import PeakMeter
from tasks.loudness import Name, integrated
from tasks.media import Media
from tasks.mix_measures import SQUEEZED, Mix, number
from tasks.mixing_desk import Desk, Options, Parts, Tell
from tasks.render import Done, Renderer, sink
from tasks.split import has_centre
from tasks.stage import Engine, Made, Stage, Workbench
from tasks.stretching import stretched
from tasks.survey import Heard, Original, survey
from tasks.underlay import Method
from voiceclone.threads import torch_threads

CLOSE = 0.2
"""LU from the target at which no further pass is worth its time; the promise is 0.5."""

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


def mix(
    parts: Parts,
    options: Options,
    out: Path,
    scratch: Path,
    *,
    cores: int = 1,
    tell: Tell = lambda share: None,
) -> Mix:
    """Mix a target into `out`: 48 kHz, the programme's channels, `timeline.length` samples; 24-bit FLAC, or floats in
    Wave64, which is written much faster, where `out` ends in `.w64`.

    The lines are heard from the centre channel where there is one, else from where the original's were between the
    first two. Channels in which the original's voice is not heard stay as they are. `scratch` is a folder for the
    stretched lines (192 kB a second of speech). A lesson without lines keeps its own sound. Deterministic, on any
    number of `cores`.

    Raises StageFailed for a placement without a take, and for a programme or a take that is not at 48 kHz;
    EngineUnavailable where the watermark cannot be loaded.
    """
    import soundfile

    timeline, takes = parts.timeline, _placed_takes(parts)
    jobs = [(parts.audio(take), place.span.length) for take, place in zip(takes, timeline.placements, strict=True)]
    with ahead(stretched(jobs, cores), 8 * cores) as sounds, soundfile.SoundFile(parts.programme) as source:
        if source.samplerate != RATE:
            raise StageFailed(f"the programme is at {source.samplerate} Hz, not {RATE}.", stage="mix")
        original = Original(source, timeline.length)
        heard = survey(original, lambda share: tell(0.2 * share))
        if not timeline.placements and not timeline.unplaced:
            original.offset[:] = 0
            return _unchanged(original, parts.programme, out, heard)
        desk = Desk.of(parts, options, original, heard)
        lines = desk.lines(takes, sounds, scratch, tell)
        renderer = desk.renderer(lines, scratch, tell)
        gain = fitted_gain(renderer.expected_bed(heard.steps), lines.steps(len(heard.steps)), desk.aim)
        done, gain = _rendered(renderer, out, renderer.rehearsed(gain), desk.aim.lufs)
    return desk.measured(done, lines, gain)


def _placed_takes(parts: Parts) -> list[Take]:
    """The take of each placement, in their order. Raises StageFailed for one without."""
    by_line = {take.line: take for take in parts.takes.takes}
    for placement in parts.timeline.placements:
        if placement.line not in by_line:
            raise StageFailed("the timeline places a line that has no take.", stage="mix", line=placement.line)
    return [by_line[placement.line] for placement in parts.timeline.placements]


def _rendered(renderer: Renderer, out: Path, gain: float, lufs: float) -> tuple[Done, float]:
    """Render with ever nearer gains until it is as loud as is asked for; what the last pass made, and its gain."""
    done = renderer.render(out, gain)
    for _ in range(_PASSES - 1):
        off = lufs - done.lufs
        nearer = min(max(gain + off, -FITTED), FITTED)
        if abs(off) <= CLOSE or abs(nearer - gain) < CLOSE / 2 or (off > 0 and done.limited_db > SQUEEZED):
            break
        gain = nearer
        done = renderer.render(out, gain)
    return done, gain


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
    level = number(integrated(heard.steps))
    return Mix("source", level, None, level, level, number(peak.dbtp), "original", 0.0, 0.0, 0.0)


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
            Parts(
                held_programme(inputs["split/programme.flac"], holds, bench.scratch / "held.flac"),
                held_diarization(load(Diarization, inputs["diarize/turns.json"]), holds),
                script,
                load(Takes, inputs["synthesize/takes.json"]),
                timeline,
                lambda take: bench.store.get(take.audio),
            ),
            Options(
                loudness=params.loudness,
                centre=has_centre(media.dubbed),
                marked=params.marked,
                headroom=headroom_of(media, params.container),
                method=params.background,
                ducking=params.ducking,
                separator=Separator.load(path) if path else None,
                announced=(told, bench.store.get(told.audio)) if told else None,
            ),
            bench.scratch / "dub.flac",
            bench.scratch,
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
