"""HLS: a lesson in all its languages as HTTP Live Streaming, beside the files: `<lesson>.hls/master.m3u8`.

A player chooses sound and subtitles by the viewer's languages, the original where none of them is there. What the
master names lies in a folder that is called by its content and is whole before the master names it; the one before is
taken away afterwards. So whoever opens the master, at any moment, reads streams that belong together.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from manifests.model import Job
from manifests.script import dump, load
from manifests.shelves import streams
from manifests.store import file_sha256
from tasks import disclosure, multi, remux
from tasks.appearing import appearing, explained, flush
from tasks.media import Media
from tasks.playlists import master
from tasks.renditions import check_picture, dubbed, original, picture, subtitles
from tasks.stage import Made, Stage, Workbench
from tasks.tracks import Dub

MASTER = "master.m3u8"

LONG_S = 12
"""Seconds from which a segment is worth a remark: players load whole ones, and jump to their beginnings."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was published."""

    master: str
    files: dict[str, str]
    """The master, playlists and media, by path, and their SHA-256; pieces of subtitles belong to their playlists."""
    notes: tuple[str, ...] = ()


def package(
    source: Path,
    media: Media,
    dubs: Sequence[Dub],
    folder: Path,
    scratch: Path,
    *,
    source_language: str = "en",
    discloses: bool = True,
    cores: int = 1,
) -> Package:
    """Publish a source and its dubs as HLS in a folder.

    `discloses` puts the sentences that say what is synthetic into the master. Raises MediaError for a picture that
    players of HLS do not play, StageFailed where a stream cannot be written or is too long, StoreError where the folder
    takes nothing.
    """
    check_picture(media)
    notes: list[str] = []
    with _draft(folder) as draft:
        shown = picture(source, media, draft / "video")
        begins = shown[1] if shown else Fraction(0)

        sounds = [original(source, media, source_language, draft / f"audio-{source_language}", begins)]
        sounds += [dubbed(dub, media, draft / f"audio-{dub.language}", scratch, begins, cores) for dub in dubs]
        titles = [each for dub in dubs for each in subtitles(dub, media, draft / f"subtitles-{dub.language}", begins)]
        said = [(dub.language, disclosure.sentence(dub.language)) for dub in dubs if dub.speaks and discloses]
        longest = max((segment.seconds for segment in shown[0].segments), default=0.0) if shown else 0.0
        if longest > LONG_S:
            notes.append(f"HLS: segments of up to {longest:.0f} s, for the picture has keyframes no closer")
        if len(media.of_kind("audio")) > 1:
            notes.append("HLS: of the source's sounds, only the one that was dubbed is there")
        digests = {path.relative_to(draft): file_sha256(path) for path in sorted(draft.rglob("*")) if path.is_file()}
        name = _name(digests)
        text = master(shown[0] if shown else None, [*sounds, *titles], said, below=name)
        _publish(draft, folder, name, text)
    listed = {path: sha256 for path, sha256 in digests.items() if path.suffix != ".vtt"}
    files = {str(folder / MASTER): file_sha256(folder / MASTER)}
    return Package(
        str(folder / MASTER),
        files | {str(folder / name / path): sha256 for path, sha256 in listed.items()},
        tuple(notes),
    )


@contextmanager
def _draft(folder: Path) -> Generator[Path]:
    """A hidden folder beside another one, on the same disk; what a killed run left there is swept out."""
    draft = folder.with_name(f".{folder.name}.part")
    with explained(folder.parent):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _name(digests: Mapping[Path, str]) -> str:
    """What a folder with such files is called."""
    told = "".join(f"{path.as_posix()} {sha256}\n" for path, sha256 in digests.items())
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _publish(draft: Path, folder: Path, name: str, text: str) -> None:
    """Put the draft into the folder under its name, then the master that names it; then take all else away."""
    with explained(folder):
        for path in draft.rglob("*"):
            flush(path)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / name, ignore_errors=True)  # the same content, of which something was missing
        draft.rename(folder / name)
        flush(folder)
    with appearing(folder / MASTER) as path:
        path.write_text(text, encoding="utf-8")
    for earlier in folder.iterdir():
        if earlier.name not in {name, MASTER}:
            shutil.rmtree(earlier, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Params:
    folder: str
    """Of the master: absolute, or the address where it goes."""
    source_language: str
    remux: remux.Params


def _params(job: Job) -> Params:
    files = remux.params_of(job)
    return Params(f"{job.delivers_to}/{streams(job.out, job.lesson_id).name}", files.source_language, files)


def stage(languages: tuple[str, ...]) -> Stage:
    """The stage that publishes a lesson in these languages."""

    def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        files, folder = params.remux, bench.here(params.folder)
        for language in languages:
            remux.granted(files, language, inputs[f"{language}:clone/casting.json"])
        made = package(
            inputs["source"],
            load(Media, inputs["split/media.json"]),
            [remux.dub_of(files, language, inputs, of=f"{language}:") for language in languages],
            folder,
            bench.scratch,
            source_language=params.source_language,
            discloses=files.tags,
            cores=bench.cores,
        )
        pieces = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MASTER)
        return Made(
            {"package.json": dump(made, bench.scratch / "package.json")},
            delivered={Path(path): sha256 for path, sha256 in made.files.items()},
            uploads=(*pieces, folder / MASTER),
            notes={"output": bench.place(folder / MASTER), "notes": list(made.notes)},
        )

    return Stage(
        name="hls",
        version=1,
        scope="lesson",
        needs=multi.together(languages),
        makes=("package.json",),
        params=_params,
        run=run,
    )
