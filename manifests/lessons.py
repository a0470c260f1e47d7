"""Lessons as jobs: globs opened, ids settled, the media looked at, and the choice that `--only` makes."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Final

from manifests import cues, languages, load, rules, settings
from manifests.depot import mirror
from manifests.document import At
from manifests.errors import Finding, InputError, ManifestError
from manifests.faults import Fault
from manifests.model import Course, Job, Lesson
from manifests.names import name_fault, same_name
from manifests.remote import address_fault
from manifests.shelves import SHELVES
from manifests.workspace import locate

MOST_SUGGESTIONS: Final = 20
"""Missing files that get a nearest name: where a whole disk is missing, comparing names would take minutes."""


def jobs(manifest: Path, course: Course, out: Path | str | None = None, workspace: Path | None = None) -> list[Job]:
    """One job a lesson, without a language, in the manifest's order; the files of a glob in natural order.

    `out` takes the place of the manifest's own `out`, relative to the current folder; `workspace` is where outputs are
    made that go to an address, if it is not the manifest's own. Raises ManifestError for a glob
    that matches nothing, for two lessons with one id, and for a source that an output would overwrite. A media file
    that is missing is no error here: it is one failed lesson of a run.
    """
    placed, faults = _resolve(manifest, course, out, workspace)
    if faults:
        raise ManifestError(_findings(manifest, faults))
    return [job for _, job in placed]


def check_media(
    manifest: Path,
    course: Course,
    out: Path | str | None = None,
    *,
    within: Callable[[Path], str] = lambda media: "",
) -> list[Finding]:
    """Media and subtitle files that are missing, empty or unreadable, and what `jobs` would raise, by file and line.

    `within` opens a media file and says what is wrong in it; as many are opened at once as there are cores. What is
    wrong inside a subtitle file is told by its own lines.
    """
    placed, faults = _resolve(manifest, course, out, None)
    inside: list[Finding] = []
    lost = 0
    there: list[tuple[At, Path]] = []
    for at, job in placed:
        if message := _media_fault(job, suggest=lost < MOST_SUGGESTIONS):
            faults.append(Fault(at, message))
            lost += 1
        else:
            there.append((at, job.media))
        for where, name in _cue_files(job.lesson):
            try:
                inside += cues.read(job.manifest.parent / name).findings
            except InputError as error:
                faults.append(Fault((*at[:-1], *where), str(error)))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        messages = threads.map(within, (media for _, media in there))
        faults += [Fault(at, message) for (at, _), message in zip(there, messages, strict=True) if message]
    return [*_findings(manifest, faults), *inside]


def _cue_files(lesson: Lesson) -> Iterator[tuple[At, str]]:
    """The subtitle files that a lesson names, and by which keys."""
    if lesson.captions is not None:
        yield ("captions",), lesson.captions
    for tag, name in lesson.translations.items():
        yield ("translations", tag), name


def targets(jobs: Iterable[Job]) -> list[Job]:
    """Each lesson's job in each language of its course."""
    return [job.model_copy(update={"language": tag}) for job in jobs for tag in job.course.targets]


def select(jobs: Sequence[Job], only: Sequence[str] = ()) -> list[Job]:
    """The targets that `--only LESSON[:LANG]` names, in the course's order; all of them where nothing is named.

    Raises InputError, with the nearest name there is, for a lesson or a language that the course does not have.
    """
    everything = targets(jobs)
    if not only:
        return everything
    wanted = {_named(jobs, name) for name in only}
    return [job for job in everything if {(job.lesson_id, None), (job.lesson_id, job.language)} & wanted]


def _named(jobs: Sequence[Job], name: str) -> tuple[str, str | None]:
    lesson, colon, tag = name.partition(":")
    ids = [job.lesson_id for job in jobs]
    if lesson not in ids:
        near = get_close_matches(lesson, ids, n=1, cutoff=0.5)
        some = ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
        raise InputError(
            f"there is no lesson `{lesson}` in this course.",
            remedy=f"Did you mean `{near[0]}{colon}{tag}`?" if near else f"There are: {some}.",
        )
    if not colon:
        return lesson, None
    there = jobs[0].course.targets
    try:
        parsed = languages.parse(tag)
    except ValueError as error:
        raise InputError(f"{error}", remedy=f"This course is dubbed into {', '.join(there)}.", lesson=lesson) from error
    if parsed not in there:
        raise InputError(
            f"`{parsed}` is not among the languages of this course.",
            remedy=f"It is dubbed into {', '.join(there)}.",
            lesson=lesson,
        )
    return lesson, parsed


def _resolve(
    manifest: Path, course: Course, out: Path | str | None, workspace: Path | None
) -> tuple[list[tuple[At, Job]], list[Fault]]:
    """Every job with the place in the manifest that it comes from, and what is wrong with them."""
    path = Path(os.path.abspath(manifest))  # noqa: PTH100 (resolve() would follow links, away from the manifest's folder)
    placed: list[tuple[At, Job]] = []
    faults: list[Fault] = []
    wanted, address = course.out if out is None else str(out), ""
    if settings.is_address(wanted):
        if fault := address_fault(wanted):
            faults.append(Fault(("out",), fault))
        address = f"{wanted.rstrip('/')}/{course.course}"
        folder = mirror(locate(path, workspace), address)
        base = folder.parent
    else:
        base = Path(os.path.abspath(path.parent / wanted if out is None else wanted))  # noqa: PTH100 (as above)
        folder = base / course.course
    for index, lesson in enumerate(course.lessons):
        at: At = ("lessons", index, "media")
        found = _media_files(lesson, path.parent, (folder, *(base / name for name in SHELVES)))
        if not found:
            faults.append(Fault(at, f"no file matches `{lesson.media}`, relative to {path.parent}."))
        if lesson.id is not None and len(found) > 1:
            faults.append(Fault(("lessons", index, "id"), f"one `id` for {len(found)} files; leave it out of a glob."))
            continue
        if lesson.captions is not None and len(found) > 1:
            faults.append(Fault(("lessons", index, "captions"), f"one caption file for {len(found)} media files."))
            continue
        if lesson.translations and len(found) > 1:
            at_theirs = ("lessons", index, "translations")
            faults.append(Fault(at_theirs, f"one translation a language for {len(found)} media files."))
            continue
        for media in found:
            name = lesson.id if lesson.id is not None else media.stem
            if fault := name_fault(name, colons=False):
                faults.append(Fault(at, fault))
                continue
            # Not validated again: the course was, and ten thousand lessons are to be ready in a second.
            job = Job.model_construct(
                manifest=path,
                course=course,
                lesson=lesson,
                lesson_id=name,
                media=media,
                out=folder,
                address=address,
                language=None,
            )
            placed.append((at, job))
    ids = [(job.lesson_id, at) for at, job in placed]
    source = cache(lambda: load.read(manifest))  # read again only where lessons clash
    faults += rules.clashes(ids, lambda other: source().where(other))
    return placed, faults + list(_overwritten(placed, course, folder))


def _media_files(lesson: Lesson, folder: Path, outputs: tuple[Path, ...]) -> list[Path]:
    """The files a lesson names, absolute; what earlier runs made is not taken for a source."""
    path = folder / lesson.media
    if not rules.is_glob(lesson.media) or path.exists():
        return [Path(os.path.abspath(path))]  # noqa: PTH100 (a link keeps its name)
    # Our own folder's name may hold a bracket: only the lesson's part is a pattern.
    names = glob.glob(lesson.media, root_dir=folder, recursive=True)  # noqa: PTH207 (pathlib's matches hidden files)
    # A glob finds thousands: they become paths once it is known which of them are wanted.
    files = {os.path.abspath(f"{folder}/{name}") for name in names}  # noqa: PTH100 (as above)
    ours = tuple(f"{output}/" for output in outputs)
    wanted = (file for file in files if not file.startswith(ours) and os.path.isfile(file))  # noqa: PTH113 (as above)
    return [Path(file) for file in sorted(wanted, key=_natural)]


def _natural(path: str) -> list[tuple[int, int, str]]:
    """Sorts `lesson 2` before `lesson 10`: digits as numbers, all else as text without regard to case."""
    parts = re.split(r"(\d+)", path.casefold(), flags=re.ASCII)
    return [(1, int(part), part) if index % 2 else (0, 0, part) for index, part in enumerate(parts)] + [(2, 0, path)]


def _overwritten(placed: list[tuple[At, Job]], course: Course, folder: Path) -> Iterator[Fault]:
    """Sources that have the name of an output: the user's files are never touched."""
    names = {same_name(f"{job.lesson_id}.{tag}"): job for _, job in placed for tag in course.targets}
    for at, job in placed:
        other = names.get(same_name(job.media.stem))
        if other is not None and job.media.parent == folder:
            message = (
                f"`{job.lesson.media}` is where the dub of `{other.lesson_id}` would be written; choose another `out`."
            )
            yield Fault(at, message)


def _media_fault(job: Job, *, suggest: bool) -> str:
    try:
        size = job.media.stat().st_size
    except FileNotFoundError:
        if not job.media.parent.is_dir():
            return f"there is no folder {job.media.parent}."
        there = [other.name for other in job.media.parent.iterdir()] if suggest else []
        near = get_close_matches(job.media.name, there, n=1)
        return f"there is no file {job.media}{f' (did you mean `{near[0]}`?)' if near else ''}."
    except OSError as error:
        return f"{job.media} cannot be read: {error.strerror}."
    if job.media.is_dir():
        return f"{job.media} is a folder; name a file in it, or all with `{job.lesson.media.rstrip('/')}/*`."
    if size == 0:
        return f"{job.media} is empty."
    return "" if os.access(job.media, os.R_OK) else f"{job.media} may not be read; change its permissions."


def _findings(manifest: Path, faults: list[Fault]) -> list[Finding]:
    """Faults by file and line; the manifest is read again only when there are any."""
    if not faults:
        return []
    source = load.read(manifest)
    return sorted((source.finding(fault) for fault in faults), key=lambda finding: (finding.file, finding.line))
