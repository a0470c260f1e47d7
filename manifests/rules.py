"""What must hold between the parts of a course: known names, limits in order, files in their folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from manifests.document import At
from manifests.engines import GROUPS, installed
from manifests.faults import Fault, nearest
from manifests.model import Course, Lesson, Speakers
from manifests.names import name_fault, same_name
from manifests.shelves import SHELVES

LABEL: Final = re.compile(r"SPEAKER_\d{2,}")
"""How diarization names speakers, in order of first speech."""

LINE: Final = re.compile(r"[1-9]\d*", re.ASCII)
"""How the lines of a lesson are named, in order of speech."""

STOCK: Final = "stock"
"""In place of a person: a voice that belongs to nobody."""


def broken(course: Course, folder: Path) -> Iterator[Fault]:
    """Every relationship that does not hold. `folder` is the manifest's."""
    yield from _languages(course)
    yield from _engines(course)
    yield from _people(course)
    yield from _refinements(course)
    yield from _limits(course)
    yield from _schedule(course)
    yield from _paths(course, folder)


def is_glob(media: str) -> bool:
    """Whether a lesson's `media` may stand for many files."""
    return any(sign in media for sign in "*?[")


def lesson_id(lesson: Lesson) -> str:
    """The id of a lesson that is one file: as given, or the file's stem."""
    return lesson.id if lesson.id is not None else PurePosixPath(lesson.media).stem


def clashes(ids: list[tuple[str, At]], where: Callable[[At], str]) -> Iterator[Fault]:
    """Lessons whose outputs would have one name; `where` tells a place as `line 3`."""
    first: dict[str, tuple[str, At]] = {}
    for name, at in ids:
        other, at_other = first.setdefault(same_name(name), (name, at))
        if at_other is at:
            continue
        as_other = "" if other == name else f" (`{other}`, which some file systems take for the same name)"
        yield Fault(
            at, f"the lesson `{name}` is there twice, first in {where(at_other)}{as_other}; give one another `id`."
        )


def _languages(course: Course) -> Iterator[Fault]:
    for index, tag in enumerate(course.targets):
        if tag == course.source_language:
            yield Fault(("targets", index), f"`{tag}` is the source language; leave it out of the targets.")
        elif tag in course.targets[:index]:
            yield Fault(("targets", index), f"`{tag}` is there twice.")
    for index, lesson in enumerate(course.lessons):
        for tag in lesson.translations:
            if tag not in course.targets:
                there = ("lessons", index, "translations", tag)
                yield Fault(there, f"`{tag}` is not among the targets; {nearest(tag, course.targets)}")


def _engines(course: Course) -> Iterator[Fault]:
    for stage, choice in course.engines.items():
        if stage not in GROUPS:
            having = ", ".join(GROUPS)
            yield Fault(("engines", stage), f"`{stage}` has no choice of engines; these have: {having}.")
        elif choice.name not in installed(stage):
            near = nearest(choice.name, installed(stage))
            yield Fault(("engines", stage), f"there is no engine `{choice.name}` for {stage}; {near}")


def _people(course: Course) -> Iterator[Fault]:
    for person in course.people:
        if person == STOCK:
            yield Fault(("people", person), "`stock` means a voice that belongs to nobody; choose another name.")
        elif fault := name_fault(person):
            yield Fault(("people", person), fault)
    if isinstance(course.speakers, Speakers):
        yield from _speakers(course.speakers, course, ("speakers",))
    for index, lesson in enumerate(course.lessons):
        at: At = ("lessons", index, "speakers")
        if isinstance(lesson.speakers, Speakers):
            yield from _speakers(lesson.speakers, course, at)
        for label, person in lesson.speakers.items() if isinstance(lesson.speakers, dict) else ():
            if not LABEL.fullmatch(label):
                yield Fault((*at, label), f"`{label}` is no label; they are SPEAKER_00, SPEAKER_01, … by first speech.")
            if person != STOCK and person not in course.people:
                known = nearest(person, [*course.people, STOCK])
                yield Fault((*at, label), f"`{person}` is not among the people; {known}")


def _speakers(speakers: Speakers, course: Course, at: At) -> Iterator[Fault]:
    least, most, exact = speakers.min_speakers, speakers.max_speakers, speakers.num_speakers
    if speakers.single is not None:
        if speakers.single not in course.people and speakers.single != STOCK:
            known = nearest(speakers.single, [*course.people, STOCK])
            yield Fault((*at, "single"), f"`{speakers.single}` is not among the people; {known}")
        for name in ("min_speakers", "max_speakers", "num_speakers"):
            if getattr(speakers, name) not in {None, 1}:
                yield Fault((*at, name), f"`single` means one speaker; leave `{name}` out.")
        return
    if least is not None and most is not None and least > most:
        yield Fault((*at, "min_speakers"), f"`min_speakers` ({least}) is above `max_speakers` ({most}).")
    if exact is not None and least is not None and exact < least:
        yield Fault((*at, "num_speakers"), f"`num_speakers` ({exact}) is below `min_speakers` ({least}).")
    if exact is not None and most is not None and exact > most:
        yield Fault((*at, "num_speakers"), f"`num_speakers` ({exact}) is above `max_speakers` ({most}).")


def _refinements(course: Course) -> Iterator[Fault]:
    """A stock voice speaks wherever nobody's consent is named: it has no tone, and its pauses are its own."""
    clones = any(person.consent is not None for person in course.people.values())
    for index, lesson in enumerate(course.lessons):
        for line, refinement in lesson.refine.items():
            if not LINE.fullmatch(line):
                yield Fault(
                    ("lessons", index, "refine", line), f"`{line}` is no line id; the record names them 1, 2, …"
                )
            for name in () if clones else refinement.needs_clone:
                message = f"`{name}` needs a cloned voice, and nobody here has a consent; stock voices obey pace, pitch"
                yield Fault(("lessons", index, "refine", line, name), f"{message} and energy.")


def _limits(course: Course) -> Iterator[Fault]:
    soft, hard = course.timing.soft_max, course.timing.hard_max
    if soft > hard:
        at = "soft_max" if "soft_max" in course.timing.model_fields_set else "hard_max"
        yield Fault(("timing", at), f"`soft_max` ({soft:g}) is above `hard_max` ({hard:g}); it is at most as high.")
    subtitles = course.delivery.subtitles
    for index, kind in enumerate(subtitles):
        if kind in subtitles[:index]:
            yield Fault(("delivery", "subtitles", index), f"`{kind}` is there twice.")
    variants = [kind for kind in subtitles if kind in {"forced", "sdh"}]
    if variants and not {"srt", "vtt", "embedded"}.intersection(subtitles):
        message = f"`{variants[0]}` says which subtitles, not where they go; add `srt`, `vtt` or `embedded`."
        yield Fault(("delivery", "subtitles", subtitles.index(variants[0])), message)
    if course.delivery.hls and course.timing.hold_still_frames:
        message = (
            "with `hold_still_frames` each language has a picture of its own, and HLS has one for all: leave one out."
        )
        yield Fault(("delivery", "hls"), message)
    disclosure = course.delivery.disclosure
    if disclosure.reason is None or not disclosure.reason.strip():
        for name in disclosure.switched_off:
            there = ("delivery", "disclosure", name)
            yield Fault(there, f"`{name}` is switched off without a reason; add `reason:` beside it, for the record.")


def _schedule(course: Course) -> Iterator[Fault]:
    if course.schedule is not None and (fault := _cron_fault(course.schedule)):
        yield Fault(("schedule",), fault)
    if course.timezone is not None:
        import zoneinfo

        try:
            zoneinfo.ZoneInfo(course.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            zones = sorted(zoneinfo.available_timezones())
            near = {zone.rpartition("/")[2].lower(): zone for zone in zones}.get(course.timezone.lower())
            advice = f"did you mean `{near}`?" if near else nearest(course.timezone, zones)
            short = advice if "mean" in advice else "write one such as `Europe/Madrid`."
            yield Fault(("timezone",), f"there is no time zone `{course.timezone}`; {short}")


def _cron_fault(text: str) -> str:
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    example = '"0 2 * * *" is every night at two'
    if len(text.split()) != 5:
        return f"`{text}` is no schedule: cron has five fields (minute, hour, day, month, weekday); {example}."
    try:
        CronSim(text, datetime.now(UTC))
    except CronSimError as error:
        return f"`{text}` is no schedule: {str(error)[:1].lower()}{str(error)[1:]}; {example}."
    return ""


def _paths(course: Course, folder: Path) -> Iterator[Fault]:
    """Media and outputs lie wherever the operator says; all else that a manifest names lies below its folder."""
    if fault := name_fault(course.course):
        yield Fault(("course",), fault)
    if same_name(course.course) in SHELVES:
        yield Fault(("course",), f"`{course.course}` is a folder of ours among the outputs; choose another name.")
    if course.glossary is not None and (fault := escape(course.glossary, folder)):
        yield Fault(("glossary",), fault)
    for index, lesson in enumerate(course.lessons):
        at: At = ("lessons", index)
        if "://" in lesson.media:
            yield Fault((*at, "media"), f"`{lesson.media}` is an address; fetch it first, and name the file.")
        yield from _lesson_paths(lesson, at, folder)
        given = lesson.id is not None
        if (given or not is_glob(lesson.media)) and (fault := name_fault(lesson_id(lesson), colons=False)):
            yield Fault((*at, "id" if given else "media"), fault)


def _lesson_paths(lesson: Lesson, at: At, folder: Path) -> Iterator[Fault]:
    if lesson.captions is not None and (fault := escape(lesson.captions, folder)):
        yield Fault((*at, "captions"), fault)
    for tag, path in lesson.translations.items():
        if fault := escape(path, folder):
            yield Fault((*at, "translations", tag), fault)


def escape(path: str, folder: Path) -> str:
    """Why a path does not stay below the manifest's folder, or nothing; links are followed."""
    if "\\" in path or re.match(r"[A-Za-z]:", path):
        return f"`{path}` is a Windows path; write it with `/`, relative to the manifest's folder."
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        return f"`{path}` leaves the manifest's folder; put the file below it, and name it from there."
    real = Path(os.path.realpath(folder / path))
    if not real.is_relative_to(os.path.realpath(folder)):
        return f"`{path}` is a link that leaves the manifest's folder; put the file itself there."
    return ""
