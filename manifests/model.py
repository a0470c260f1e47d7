"""The manifest: what a course operator asks for.

Pydantic, because a person writes it; `manifests.load` turns YAML and CSV into a `Course` and names every fault by file
and line. The JSON Schema that editors use (`manifests/schema.json`) is generated from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.config import JsonDict

from manifests import languages

Stage = Literal["split", "diarize", "transcribe", "translate", "clone", "synthesize", "place", "mix", "remux", "verify"]

Language = Annotated[str, AfterValidator(languages.parse)]
"""A BCP-47 tag, held in its canonical form: whoever writes `pt-br` reads `pt-BR`."""

Name = Annotated[str, Field(max_length=120, pattern=r"^[^/\\\x00-\x1f\x7f]*[^/\\\x00-\x1f\x7f. ][^/\\\x00-\x1f\x7f]*$")]
"""A name that files and folders get: no separators, no control characters, and not only dots or spaces."""

LessonId = Annotated[
    str, Field(max_length=120, pattern=r"^[^/\\\x00-\x1f\x7f:]*[^/\\\x00-\x1f\x7f:. ][^/\\\x00-\x1f\x7f:]*$")
]
"""A `Name` without colons, because commands take `LESSON:LANG`."""

Text = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    """Base of every part of the manifest: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(Part):
    """Somebody who speaks in the course: the id of their consent, and how their voice is refined."""

    consent: Text | None = Field(default=None, description="Id of a record in the consent registry.")
    pace: float = Field(default=1.0, ge=0.5, le=2.0, description="How fast the voice speaks; 1.0 is its own pace.")
    pitch: float = Field(default=0.0, ge=-12, le=12, description="Shift of the voice's pitch, in semitones.")
    energy: float = Field(default=0.0, ge=-12, le=12, description="Shift of the voice's level, in decibels.")
    pauses: float = Field(default=1.0, ge=0.25, le=4.0, description="Length of pauses; 1.0 is the voice's own.")
    tone: Literal["warm", "sharp", "subdued"] | None = Field(default=None, description="Colour of the voice.")


class Refinement(Part):
    """How one line is spoken. What is left out is as the person's."""

    pace: float | None = Field(default=None, ge=0.5, le=2.0, description="How fast; 1.0 is the voice's own pace.")
    pitch: float | None = Field(default=None, ge=-12, le=12, description="Shift of the pitch, in semitones.")
    energy: float | None = Field(default=None, ge=-12, le=12, description="Shift of the level, in decibels.")
    pauses: float | None = Field(
        default=None, ge=0.25, le=4.0, description="Length of pauses; 1.0 is the voice's own. Cloned voices only."
    )
    tone: Literal["warm", "sharp", "subdued"] | None = Field(
        default=None, description="Colour of the voice. Cloned voices only."
    )

    @property
    def needs_clone(self) -> tuple[str, ...]:
        """Names of what no stock voice can do."""
        return tuple(name for name in ("pauses", "tone") if getattr(self, name) is not None)


class Speakers(Part):
    """Who may speak, or how many, where it is not left to `auto`."""

    single: Text | None = Field(
        default=None, description="The one person who speaks throughout: a name under `people`."
    )
    min_speakers: int | None = Field(default=None, ge=1, le=20, description="At least so many people speak.")
    max_speakers: int | None = Field(default=None, ge=1, le=20, description="At most so many people speak.")
    num_speakers: int | None = Field(default=None, ge=1, le=20, description="Exactly so many people speak.")


class Disclosure(Part):
    """How a dub says that its speech is synthetic. Laws ask for most of it: switching one off takes a reason."""

    watermark: bool = Field(default=True, description="An inaudible mark in all synthetic speech.")
    credentials: bool = Field(default=True, description="Signed content credentials (C2PA), in the file or beside it.")
    tags: bool = Field(default=True, description="A sentence that says so in the file's comment tag.")
    subtitle: bool = Field(default=True, description="The same sentence before the first subtitle, or with it.")
    spoken: bool = Field(default=False, description="The same sentence, spoken by a stock voice.")
    reason: Text | None = Field(
        default=None, description="Why one of the first four is switched off; the record of every dub repeats it."
    )

    @property
    def switched_off(self) -> tuple[str, ...]:
        """Names of what is on by default and is not here."""
        return tuple(name for name in ("watermark", "credentials", "tags", "subtitle") if not getattr(self, name))


class Ducking(Part):
    """How the background gives way to the dub, where it does."""

    depth: float = Field(
        default=15.0,
        ge=0,
        le=40,
        description="Decibels by which it is lowered, at most; 12 to 18 are usual.",
    )
    attack: float = Field(default=0.02, ge=0.005, le=2, description="Seconds in which it goes down.")
    release: float = Field(default=0.4, ge=0.01, le=10, description="Seconds in which it comes back.")


class Delivery(Part):
    """What the finished file is."""

    container: Literal["source", "mp4", "m4v", "mov", "mkv", "webm"] = Field(
        default="source", description="Container of the finished file; `source` keeps the source's."
    )
    loudness: Literal["source", "web", "ebu", "atsc", "netflix"] = Field(
        default="source", description="Loudness of the dub; `source` matches the original's, the others are norms."
    )
    original_audio: Literal["keep"] = Field(
        default="keep", description="The original track stays in the finished file."
    )
    background: Literal["auto", "room_tone", "separate", "duck"] = Field(
        default="auto",
        description="What is heard under the dub: the room's own tone, the original without its voice (`separate`, with"
        " weights), or the original lowered (`duck`); `auto` takes what lets no original voice through.",
    )
    ducking: Ducking = Field(default=Ducking(), description="How far and how fast the background gives way to the dub.")
    subtitles: tuple[Literal["srt", "vtt", "embedded", "forced", "sdh"], ...] = Field(
        default=("srt", "embedded"),
        description="Subtitles as files beside the video (`srt`, `vtt`) and inside it (`embedded`); in these ways also"
        " `forced` ones, of what the dub leaves unspoken, and `sdh` ones, which name the speakers.",
    )
    hls: bool = Field(
        default=False,
        description="Also as HTTP Live Streaming, all languages of a lesson in one: `<lesson>.hls/master.m3u8`. Its"
        " picture must be H.264, HEVC or AV1.",
    )
    disclosure: Disclosure = Field(
        default=Disclosure(), description="How the finished file says that its speech is synthetic."
    )


class Timing(Part):
    """How fast a line may be. 1.25 is where listening begins to cost effort (research: timing)."""

    soft_max: float = Field(default=1.25, ge=1.0, le=2.0, description="Rate up to which a line may be sped up freely.")
    hard_max: float = Field(
        default=1.4, ge=1.0, le=2.0, description="Rate that no line exceeds: what does not fit is not spoken."
    )
    hold_still_frames: bool = Field(
        default=False, description="Show still pictures longer where a line needs the time; the file gets longer."
    )


def _limit(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, bool):
        return value
    return Quality.model_fields[info.field_name or ""].default if value else None


Limit = Annotated[
    float | None,
    BeforeValidator(_limit),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}]}),
]
"""A gate's number; `true` is its default, `false` leaves the gate open."""


class Quality(Part):
    """Gates: a target below one is held in `out/review/` until somebody approves it."""

    timing: Limit = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Least share of speech between 0.90x and 1.25x; overlaps, cut words and rates above `hard_max`"
        " never pass. `false` opens the gate.",
    )
    loudness: Limit = Field(
        default=1.0,
        ge=0,
        description="Most LU from the loudness that was aimed at (of a source too loud for its true peaks: from what"
        " they allow); true peaks keep the norm's limit. `false` opens it.",
    )
    disclosure: float = Field(
        default=0.5,
        ge=0.3,
        le=1.0,
        description="Least watermark score in the finished file; credentials, tag and subtitle must be there too."
        " What `delivery: {disclosure: …}` switches off is not asked for.",
    )
    similarity: float | None = Field(
        default=None, ge=-1, le=1, description="Least similarity of every cloned line to the person's voice (a cosine)."
    )
    glossary: float | None = Field(
        default=None, ge=0, le=1, description="Least share of the glossary's terms that the dub says as it has them."
    )
    numbers: float | None = Field(
        default=None, ge=0, le=1, description="Least share of the source's numbers that the dub says."
    )
    leakage: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Most of the original's voice that is left under the dub, as a share of its level: 0.03 is -30 dB.",
    )
    read_back: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Least share of its words that a recognizer understands in the finished dub; of any line of six"
        " words or more, half of that. A language that no engine here understands is held for somebody to hear.",
    )


def _by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class EngineChoice(Part):
    """An engine, and what it is told."""

    name: Text = Field(description="Name of the engine; `dub doctor` lists them.")
    model: Text | None = Field(default=None, description="Which of its models, where its own choice is not wanted.")
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict[str, str | int | float | bool], description="What the engine lets you set."
    )
    commercial: bool = Field(
        default=False,
        description="Your word that a course that is sold may use its weights, where dubflow cannot know.",
    )


Choice = Annotated[
    EngineChoice,
    BeforeValidator(_by_name),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, EngineChoice.model_json_schema()]}),
]
"""An engine by its name alone, or with what it is told."""


def _speakers_kind(value: Any) -> Literal["auto", "count", "labels"]:
    """Which way of naming speakers a value is meant to be, so that a fault is told about that way only."""
    if isinstance(value, Speakers):
        return "count"
    if isinstance(value, Mapping):
        return "count" if Speakers.model_fields.keys() & cast("Mapping[str, Any]", value).keys() else "labels"
    return "auto"


_LABELS: Final[JsonDict] = {"propertyNames": {"pattern": r"^SPEAKER_\d{2,}$"}}
"""For editors; the loader says it in words (`manifests.rules`)."""


def _course_speakers(value: Any) -> Literal["auto", "count"]:
    return "auto" if _speakers_kind(value) == "auto" else "count"


def _lesson_speakers(value: Any) -> Literal["labels", "count"]:
    return "count" if _speakers_kind(value) == "count" else "labels"


class Lesson(Part):
    """One source media file, or a glob of them."""

    media: Text = Field(description="The source file, relative to the manifest, or a glob such as `week-1/*.mp4`.")
    id: LessonId | None = Field(
        default=None, description="Name of the lesson in outputs and commands; the file's stem if not given."
    )
    captions: Text | None = Field(
        default=None,
        description="Captions in the source language, below the manifest's folder: used instead of recognition.",
    )
    translations: dict[Language, Text] = Field(
        default_factory=dict, description="Languages to human translations (subtitle files), used as they are."
    )
    speakers: (
        Annotated[
            Annotated[dict[str, Text], Field(json_schema_extra=_LABELS), Tag("labels")]
            | Annotated[Speakers, Tag("count")],
            Discriminator(_lesson_speakers),
        ]
        | None
    ) = Field(
        default=None,
        description="Labels in order of first speech to people or `stock`, as `{SPEAKER_00: amara}`, for this lesson"
        " only; or who or how many speak.",
    )
    refine: dict[str, Refinement] = Field(
        default_factory=dict,
        description='Line ids, as the record names them, to how these lines are spoken: `{"12": {pace: 0.95}}`.',
        json_schema_extra={"propertyNames": {"pattern": r"^[1-9]\d*$"}},
    )
    audio_language: Language | None = Field(
        default=None, description="Language of the audio track to dub, where it is not the course's source language."
    )


class Course(Part):
    """One course: its lessons, its languages, its people and its terms."""

    course: Name = Field(description="Name of the course: the folder of its outputs below `out`.")
    source_language: Language = Field(
        default="en", description="BCP-47 tag of the language that is spoken in the lessons."
    )
    targets: tuple[Language, ...] = Field(min_length=1, description="BCP-47 tags of the languages to dub into.")
    profile: Literal["embedded", "studio"] = Field(
        default="embedded", description="Set of engines: `embedded` needs no download, `studio` needs weights."
    )
    engines: dict[Stage, Choice] = Field(
        default_factory=dict[Stage, EngineChoice],
        description="Stages to engines, where the profile's is not wanted: a name, or its `name`, `model`, `options`.",
    )
    schedule: Text | None = Field(
        default=None, description='When `dub serve` runs it, as cron: "0 2 * * *" is 2 at night.'
    )
    timezone: Text | None = Field(default=None, description="Zone of the schedule, such as Europe/Madrid.")
    purpose: Text = Field(default="training_video", description="What people's consents must cover.")
    commercial: bool = Field(default=False, description="Whether the course is sold: consents must allow it.")
    require_consent: bool = Field(
        default=False, description="Block a target, rather than use a stock voice, where a consent is missing."
    )
    require_statement: bool = Field(
        default=False, description="Clone only on a spoken statement that matches the voice."
    )
    out: Text = Field(
        default="out/",
        description="Folder of the outputs, relative to the manifest, or an address such as s3://bucket/prefix.",
    )
    people: dict[Name, Person] = Field(
        default_factory=dict, description="Who speaks in the course, by a name you choose."
    )
    speakers: Annotated[
        Annotated[Literal["auto"], Tag("auto")] | Annotated[Speakers, Tag("count")], Discriminator(_course_speakers)
    ] = Field(default="auto", description="Match voices to people by ear (`auto`), or say who or how many speak.")
    glossary: Text | None = Field(
        default=None,
        description="CSV of terms below the manifest's folder: source, target language, term, pronunciation. No term:"
        " not translated.",
    )
    delivery: Delivery = Field(
        default=Delivery(), description="Container, loudness, tracks and subtitles of the finished file."
    )
    timing: Timing = Field(
        default=Timing(), description="How fast a line may be, as a multiple of the voice's own pace."
    )
    quality: Quality = Field(default=Quality(), description="Gates that a target must pass.")
    lessons: tuple[Lesson, ...] = Field(min_length=1, description="The source files.")


class Job(Part):
    """One unit of work: a lesson, and for the stages of a target its language too."""

    manifest: Path
    """Absolute path of the manifest."""
    course: Course
    lesson: Lesson
    lesson_id: str
    media: Path
    """Absolute path of the source file."""
    out: Path
    """Absolute folder of the course's outputs (`<out>/<course>`); in the workspace, where they go on to an address."""
    address: str = ""
    """The course's folder of outputs where that is an address, such as `s3://bucket/prefix/course`."""
    workspace: Path | None = None
    """Absolute folder of the workspace, whose `voices/` holds who is enrolled; None where nobody is looked up."""
    language: str | None = None
    """BCP-47 tag of the target; None for what is done once per lesson."""

    @property
    def delivers_to(self) -> str:
        """Where the course's outputs go: a folder, or an address. The same on every machine that shares it."""
        return self.address or str(self.out)

    @property
    def name(self) -> str:
        """`lesson` or `lesson:language`, as commands take it."""
        return f"{self.lesson_id}:{self.language}" if self.language else self.lesson_id
