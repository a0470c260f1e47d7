"""`dub script export` and `import`: a target's lines to a linguist, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flows.answering import print_json
from flows.order import Order, shown
from flows.saying import say
from flows.wanted import manifest_path, wanted
from manifests import exchange, human_lines
from manifests.errors import Finding, InputError, ManifestError, StoreError
from manifests.exchange import Heading
from manifests.model import Job
from manifests.script import Lines, Script, load
from manifests.timeline import Takes
from manifests.workspace import Workspace, locate
from tasks import synthesize, translate
from tasks.line_sheet import Known, entries
from tasks.perform import Products, claim_of, media_seconds, perform
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES
from tasks.plan import walk
from tasks.returned_lines import imported

_MOST_SHOWN = 12
"""Missing lines that are named one by one."""


def export_lines(manifest: Path, target: str, file: Path, *, workspace: Path | None, json_wanted: bool) -> None:
    """Write the lines, and say how many.

    Raises InputError for a file of another kind or a lesson without a script, StoreError where it cannot be written.
    """
    exchange.kind(file)
    path, job, space = _target(manifest, target, workspace)
    known = _known(job, space, path)
    heading = Heading(job.course.course, job.lesson_id, job.course.source_language, job.language or "")
    lines = entries(known)
    _write(file, exchange.written(file, lines, heading))
    if json_wanted:
        print_json({"lesson": job.lesson_id, "language": job.language, "file": str(file), "lines": len(lines)})
    else:
        say(f"{len(lines)} lines of {job.name} are in {shown(file)}. When they come back:")
        say(f"dub script import {shown(path)} {shown(job.name)} {shown(file)}")


def import_lines(
    manifest: Path, target: str, file: Path, *, approve_all: bool, workspace: Path | None, json_wanted: bool
) -> None:
    """Keep what was changed, and say what it is; nothing is kept where anything in the file is wrong.

    Raises InputError for a file of another kind or a lesson without a script, ManifestError with all that is wrong.
    """
    returned = exchange.read(file)
    path, job, space = _target(manifest, target, workspace)
    known = _known(job, space, path)
    kept = human_lines.path(path, job.lesson_id, job.language or "")
    before = human_lines.read(kept)
    result = imported(returned, known, before, file=str(file), language=job.language or "", approve_all=approve_all)
    if result.faults:
        raise ManifestError(result.faults)
    if set(result.lines) != set(before):
        human_lines.write(kept, result.lines)
    _say_findings([finding for _, finding in result.missing])
    if json_wanted:
        facts = {"lesson": job.lesson_id, "language": job.language, "human": list(result.human)}
        missing = [line for line, _ in result.missing]
        print_json(facts | {"unchanged": result.unchanged, "missing": missing, "kept_in": str(kept)})
        return
    say(f"{len(result.human)} lines of {job.name} are now human, {result.unchanged} are as they were.")
    if result.human:
        say(f"They are kept in {shown(kept)}. To hear them: dub run {shown(path)} --only {shown(job.name)}")


def _target(manifest: Path, target: str, workspace: Path | None) -> tuple[Path, Job, Workspace]:
    path = manifest_path(manifest)
    if ":" not in target:
        raise InputError(f"`{target}` is not a target.", remedy=f"Name the language too, as {shown(target)}:LANG.")
    order = Order(manifest=path, workspace=locate(path, workspace), only=(target,))
    (job,) = wanted(order).targets
    return path, job, Workspace.open(order.workspace)


def _known(job: Job, space: Workspace, manifest: Path) -> Known:
    """The target's lines. Where only its translation is missing, that is made, as the next run would make it."""
    lesson = walk(LESSON_STAGES, job.model_copy(update={"language": None}), space)
    if not lesson.complete:
        raise InputError(
            f"{job.lesson_id} has no script yet, or its source has changed.",
            remedy=f"Run: dub run {shown(manifest)} --only {shown(job.name)}",
        )
    made = walk(TARGET_STAGES, job, space, lesson).products
    if "translate/lines.json" not in made.objects:
        with space.idle(), space.claims.held(claim_of(job), waiting=say):
            made = made.plus(perform(translate.STAGE, job, made, space))

    script = load(Script, _file(made, "transcribe/script.json", space))
    translated = load(Lines, _file(made, "translate/lines.json", space))
    if f"{synthesize.STAGE.name}/lines.json" not in made.objects:
        return Known(script, translated, length_s=media_seconds(made))
    said = load(Lines, _file(made, "synthesize/lines.json", space))
    takes = load(Takes, _file(made, "synthesize/takes.json", space))
    return Known(script, translated, said, takes, media_seconds(made))


def _file(made: Products, name: str, space: Workspace) -> Path:
    return space.store.get(made.objects[name])


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.part")
    try:
        draft.write_text(text, encoding="utf-8", newline="")
        draft.replace(file)
    except OSError as error:
        raise StoreError(
            f"cannot write {file}: {error.strerror or error}.", remedy="Name a file in a folder that can be written."
        ) from error


def _say_findings(findings: Sequence[Finding]) -> None:
    for finding in findings[:_MOST_SHOWN]:
        say(str(finding))
    if len(findings) > _MOST_SHOWN:
        say(f"{findings[0].file}: and {len(findings) - _MOST_SHOWN} more lines are missing; they stay as they are.")
