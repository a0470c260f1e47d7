"""The record: the JSON beside every output that says everything that was decided, and by what.

Pydantic, because other programs read it: `manifests/record.schema.json` is generated from here. Times are seconds from
the programme's start, levels LUFS and dBTP. Keys that may be absent stand for "does not apply"; `null` is "cannot be
told", such as the loudness of silence. Readers should ignore keys that they do not know: later versions add some, and
`schema` counts up only where a key is taken away or means something else.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from manifests.model import Stage

SCHEMA_VERSION: Final = 1
PATH: Final = Path(__file__).with_name("record.schema.json")
COMMAND: Final = "python -m manifests.record"

State = Literal["done", "partial", "failed", "blocked", "review"]


def _absent(value: object) -> bool:
    return value is None


def _none(values: tuple[object, ...]) -> bool:
    return not values


class Part(BaseModel):
    """Base of every part of the record: written with the keys below and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Source(Part):
    path: str = Field(description="relative to the record's folder; the bare name where the two share no folder")
    sha256: str
    duration: float


class Stream(Part):
    """One stream of the finished file, in its order."""

    kind: str
    codec: str
    language: str | None = Field(None, exclude_if=_absent, description="as the container tags it")
    title: str | None = Field(None, exclude_if=_absent)
    dispositions: tuple[str, ...] = ()
    role: Literal["dub", "original", "subtitles"] | None = Field(None, exclude_if=_absent)


class Output(Part):
    path: str = Field(description="relative to the record's folder")
    sha256: str
    duration: float
    streams: tuple[Stream, ...]
    hls: str | None = Field(
        None,
        exclude_if=_absent,
        description="master playlist of the lesson in all its languages, relative to the course's folder; it is made"
        " when every language is there",
    )


class Said(Part):
    """What the source says."""

    start: float
    end: float
    text: str
    confidence: float


class Text(Part):
    """What the dub says."""

    value: str = Field(description="as it is shown, without tags")
    origin: Literal["machine", "human", "memory"]
    checks: tuple[str, ...] = Field((), description="remarks for a linguist")
    emphasis: tuple[str, ...] | None = Field(
        None, exclude_if=_absent, description="the words of it that are spoken with emphasis"
    )
    trimmed: tuple[str, ...] | None = Field(
        None, exclude_if=_absent, description="what was left out or said shorter than translated, for want of time"
    )


class LineVoice(Part):
    kind: Literal["clone", "stock", "recorded"]
    person: str | None = Field(None, exclude_if=_absent)
    consent: str | None = Field(None, exclude_if=_absent)
    reason: str | None = Field(None, exclude_if=_absent, description="why this voice and not the person's own")
    engine: str
    name: str = Field(description="the engine's own name of the voice")
    seed: int | None = Field(None, exclude_if=_absent, description="by which the engine drew the take, where it draws")
    similarity: float | None = Field(None, exclude_if=_absent)
    use: str | None = Field(
        None,
        exclude_if=_absent,
        description="how the engine uses what it learned of the person, where it has a choice, and why",
    )


class LineTake(Part):
    default_seconds: float = Field(description="at the engine's normal rate")
    engine_rate: float
    natural_seconds: float = Field(description="as handed to placement: engine rate applied, pauses edited")
    choice: str | None = Field(
        None, exclude_if=_absent, description="why this take, where there were several to choose from"
    )


class Placed(Part):
    """`(end - start) * rate` is the take's `natural_seconds`: nothing is cut."""

    start: float
    end: float
    rate: float
    anchor: float | None = Field(
        None,
        exclude_if=_absent,
        description="when the picture changed shortly before the source said this; `start` is never before it",
    )


class LineReadBack(Part):
    """What a recognizer understood of the line in the finished file."""

    heard: str = Field(description="in lower case, numbers in words")
    share: float = Field(description="of the text's words; what is heard wrong, left out or added counts against it")


class RecordLine(Part):
    """A line without `take` was not synthesized, one without `placed` is not spoken; `problems` says why."""

    id: str
    speaker: str
    source: Said
    text: Text
    voice: LineVoice
    take: LineTake | None = Field(None, exclude_if=_absent)
    placed: Placed | None = Field(None, exclude_if=_absent)
    read_back: LineReadBack | None = Field(default=None, exclude_if=_absent)
    flags: tuple[str, ...] = ()


class Timing(Part):
    """How the lines lie; rates are what a listener hears, the engine's own included. `null`: too few lines to tell."""

    overlap_s: float = Field(
        description="seconds in which two lines are spoken at once beyond what their utterances do"
    )
    cut_s: float = Field(description="seconds of takes that are not heard")
    max_rate: float | None
    p95_rate: float | None
    rate_compliance: float | None = Field(description="share of speech between 0.90x and 1.25x, by length")
    smoothness: float | None = Field(
        description="share of neighbours of one speaker, less than 2 s apart, whose rates differ by at most 10 %"
    )
    onset_p50: float | None = Field(description="seconds after the source's onset; negative is early")
    onset_p95: float | None
    drift_s_per_h: float | None = Field(description="how much later lines become in an hour; for ten minutes or more")
    speech_overlap: float | None = Field(description="share of the source's speech under which the dub speaks")
    collision_s_per_h: float | None = Field(None, description="seconds that overlap or are cut, an hour of programme")
    onset_max: float | None = Field(None, description="the onset that is furthest off, early or late, without its sign")
    onset_undetectable: float | None = Field(
        None, description="share of onsets from 45 ms early to 125 ms late, which nobody notices (ITU-R BT.1359)"
    )
    onset_acceptable: float | None = Field(None, description="share from 90 ms early to 185 ms late (the same)")
    speech_overlap_precision: float | None = Field(
        None, description="share of the dub's speech under which the source speaks"
    )
    speech_overlap_iou: float | None = Field(None, description="what both speak, over what either does")
    rate_effort: float | None = Field(None, description="mean of |ln rate|, by length")
    isochrony: float | None = Field(
        None, description="mean of 1 - (|onset error| + |end error|) / source's length, at least 0 (Virkar 2022)"
    )
    duration_agreement: float | None = Field(
        None, description="1 - mean of |dub's length - source's| / source's, a line (IWSLT dubbing, metric 1)"
    )
    duration_ratio: float | None = Field(None, description="mean of the shorter over the longer (IWSLT, metric 2)")
    duration_off: float | None = Field(None, description="share of lines 0.3 s or more shorter or longer (IWSLT)")
    length_compliance: float | None = Field(
        None, description="share of lines whose text is within 10 % of the source's, without spaces (isometric MT)"
    )
    speech_length_compliance_20: float | None = Field(
        None, description="share of lines whose take, at the normal rate, is within 20 % of the source's length"
    )
    speech_length_compliance_40: float | None = Field(None, description="the same within 40 %")
    anchored: int = Field(0, description="lines that follow a change of the picture")
    anchor_margin_s: float | None = Field(
        None,
        description="seconds from the change to the start of the line that comes soonest after one; never negative",
    )


class Held(Part):
    """A still frame that is shown longer than in the source: the one at `at` of the source, from `start` to `end`."""

    at: float
    start: float
    end: float


class Loudness(Part):
    """Measured on the dub in the finished file, after its encoding (ITU-R BS.1770-4); `null` for silence."""

    integrated_lufs: float | None
    true_peak_dbtp: float | None


class Mixing(Part):
    """How the dub was laid over the original's background; measured before its encoding."""

    profile: str = Field(description="the loudness that was aimed at: `source`, `web`, …")
    target_lufs: float | None
    dialogue_lufs: float | None = Field(description="of what sounds while the dub speaks, ungated (BS.1770-1)")
    largest_step_lu: float | None = Field(description="between a line and the next; null with fewer than two")
    background: str = Field(description="what lies under the dub for the most part")
    background_s: dict[str, float] = Field(description="seconds of each kind of background")
    background_db: float = Field(description="gain of the whole background")
    lowered_db: float = Field(description="the most by which it gives way to the dub")
    leakage_db: float | None = Field(
        description="how loud the original's voice still is in it, against itself; -60: as good as gone;"
        " null: too little was heard to tell"
    )
    limited_db: float = Field(description="the limiter's deepest gain reduction")


class Announced(Part):
    """When the dub says it, as heard in the finished file, in a stock voice."""

    start: float
    end: float
    rate: float
    voice: str


class Disclosure(Part):
    """How the file says that its speech is synthetic."""

    watermark_score: float | None = Field(description="0 to 1; null where no watermark was put in")
    content_credentials: Literal["none", "valid", "untrusted", "altered"]
    container_tag: bool = Field(description="the finished file's own tags say so")
    spoken: Announced | Literal[False] = Field(description="when a voice says so; false where none does")
    shown: bool = Field(description="the subtitles say so")
    switched_off: tuple[str, ...] = Field((), description="what the manifest asked to leave out")
    reason: str | None = Field(None, exclude_if=_absent, description="why")


class ReadBack(Part):
    """What a recognizer understands of the finished dub, where its gate is closed."""

    by: str = Field(description="name and version of the recognizer")
    share: float | None = Field(description="of all words that were read; null where there were none")
    lines: int = Field(description="that were read: not those over which others speak")
    worst: tuple[str, ...] = Field(description="the lines of which least was understood, the worst first")


class EngineUsed(Part):
    name: str
    version: str
    weights_sha256: str | None = Field(None, exclude_if=_absent)


class StageRun(Part):
    state: Literal["done", "failed", "blocked", "held"]
    seconds: float
    cached: bool


class Problem(Part):
    line: str | None = Field(default=None, exclude_if=_absent)
    gate: str | None = Field(default=None, exclude_if=_absent, description="the quality gate that holds the target")
    stage: Stage
    message: str


class Approved(Part):
    """Somebody released what a gate would hold."""

    gates: tuple[str, ...]
    by: str | None = Field(default=None, exclude_if=_absent)
    at: str
    reason: str | None = Field(default=None, exclude_if=_absent)


class Record(Part):
    """One target's record."""

    schema_: Literal[1] = Field(SCHEMA_VERSION, alias="schema")
    course: str
    lesson: str
    language: str
    state: State
    source: Source
    output: Output
    lines: tuple[RecordLine, ...]
    timing: Timing
    holds: tuple[Held, ...] = Field(
        (),
        exclude_if=_none,
        description="where still frames are held; all times but those of the source are the longer file's",
    )
    loudness: Loudness
    mix: Mixing | None = Field(None, exclude_if=_absent)
    disclosure: Disclosure
    read_back: ReadBack | None = Field(default=None, exclude_if=_absent)
    engines: dict[Stage, EngineUsed]
    stages: dict[Stage, StageRun]
    problems: tuple[Problem, ...] = ()
    content: str | None = Field(
        default=None,
        exclude_if=_absent,
        description="digest of all that the file was made from: what an approval is bound to",
    )
    approved: Approved | None = Field(default=None, exclude_if=_absent)
    notes: tuple[str, ...] = Field((), description="what is not as one might expect, and needs no mending")

    def text(self) -> str:
        """The file's content."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Record:
        """A record from its file. Raises OSError or pydantic's ValidationError."""
        return cls.model_validate_json(path.read_bytes())


def schema() -> dict[str, Any]:
    """JSON Schema of a record as it is written; readers of later versions meet further keys."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Record.model_json_schema(by_alias=True, mode="serialization"),
        "title": "dubflow record",
    }


def schema_text() -> str:
    """The content of `manifests/record.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text(), encoding="utf-8")
