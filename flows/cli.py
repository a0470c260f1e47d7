"""The command line: `dub`.

Nothing heavy is imported before a command needs it, so `dub --help` answers at once and an up-to-date `run` starts
neither Prefect nor torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from flows.consent_commands import consent
from flows.model_commands import models
from flows.options import AsJson, LogFormat, Out, Profile, WorkspaceFolder
from flows.schedule_commands import deploy, serve
from flows.script_commands import script
from flows.voice_commands import voices

app = typer.Typer(
    name="dub",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Dub libraries of course videos into other languages, unattended, in consented voices only.",
)
app.add_typer(consent, name="consent")
app.add_typer(voices, name="voices")
app.add_typer(script, name="script")
app.add_typer(models, name="models")

Manifest = Annotated[Path, typer.Argument(metavar="MANIFEST", help="The course's manifest, .yaml or .csv.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="LESSON[:LANG]", help="Just this lesson or target; may be repeated."),
]

Refresh = Annotated[
    bool,
    typer.Option("--refresh", help="Do what is stale too: made by another version of its engine than is here."),
]


@app.command()
def run(
    manifest: Manifest,
    only: Only = None,
    force: Annotated[
        list[str] | None, typer.Option("--force", metavar="STAGE", help="Do this stage again; may be repeated.")
    ] = None,
    refresh: Refresh = False,
    profile: Profile = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write the course's report in the end, as `dub serve`'s runs do.")
    ] = False,
    out: Out = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
    log_format: LogFormat = None,
) -> None:
    """Bring every target of the manifest up to date; only what changed, or failed last time, runs.

    Examples: dub run course.yaml --only lesson-02:es; dub run course.yaml --refresh
    """
    from flows.running import run_course

    run_course(
        manifest,
        only=only or [],
        force=force or [],
        profile=profile,
        out=out,
        workspace=workspace,
        json_wanted=as_json,
        log_format=log_format,
        refresh=refresh,
        report=report,
    )


@app.command()
def rerun(
    manifest: Manifest,
    targets: Annotated[list[str] | None, typer.Argument(metavar="[LESSON[:LANG]]...", help="What to do again.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every target that is not done.")] = False,
    from_stage: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Do this stage and all after it again.")
    ] = None,
    lines: Annotated[
        str | None,
        typer.Option("--lines", metavar="3,7-9", help="Only these lines of the lesson: speak them again."),
    ] = None,
    profile: Profile = None,
    out: Out = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
    log_format: LogFormat = None,
) -> None:
    """Do exactly that again: what failed, one target from one stage on, or some of its lines.

    Examples: dub rerun course.yaml --failed; dub rerun course.yaml lesson-02:es --from synthesize;
    dub rerun course.yaml lesson-02:es --lines 3,7-9
    """
    from flows.running import rerun_course

    rerun_course(
        manifest,
        targets=targets or [],
        failed=failed,
        from_stage=from_stage,
        lines=lines,
        profile=profile,
        out=out,
        workspace=workspace,
        json_wanted=as_json,
        log_format=log_format,
    )


@app.command()
def plan(
    manifest: Manifest,
    only: Only = None,
    refresh: Refresh = False,
    profile: Profile = None,
    out: Out = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run would do and why: per target and stage, without starting anything.

    Example: dub plan course.yaml
    """
    from flows.planning import show_plan

    show_plan(
        manifest,
        only=only or [],
        refresh=refresh,
        profile=profile,
        out=out,
        workspace=workspace,
        json_wanted=as_json,
    )


@app.command()
def check(manifest: Manifest, profile: Profile = None, as_json: AsJson = False) -> None:
    """Validate only: the manifest, the media it names, languages and engines; findings as `file:line: message`.

    Example: dub check course.yaml
    """
    from flows.asking import show_findings

    show_findings(manifest, profile, as_json)


@app.command()
def status(manifest: Manifest, workspace: WorkspaceFolder = None, as_json: AsJson = False) -> None:
    """Show the last known state of every target, its failing stage and its message.

    Example: dub status course.yaml
    """
    from flows.asking import show_status

    show_status(manifest, workspace, as_json)


@app.command()
def report(
    manifest: Manifest,
    only: Only = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The report, instead of `out/<course>/report.html`.")
    ] = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write the course report: one HTML file that shows where every target stands, and lets you hear its lines.

    Example: dub report course.yaml
    """
    from flows.reporting import write_report

    write_report(manifest, only=only or [], out=out, workspace=workspace, json_wanted=as_json)


@app.command()
def assemble(
    cues: Annotated[Path, typer.Argument(metavar="CUES.json", help="The lines: id, start, end, audio; text, speaker.")],
    media: Annotated[Path, typer.Option("--media", metavar="FILE", help="The source, whose lines they replace.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The finished file; its ending is its kind.")],
    loudness: Annotated[
        str, typer.Option("--loudness", metavar="L", help="`web`, `source`, `ebu`, `atsc` or `netflix`.")
    ] = "web",
    subtitles: Annotated[
        str,
        typer.Option("--subtitles", metavar="WAYS", help="Any of `srt`, `vtt`, `embedded`; kinds: `forced`, `sdh`."),
    ] = "srt,embedded",
    anchored: Annotated[
        bool,
        typer.Option(
            "--anchors/--no-anchors", help="Look for slide changes and cuts; no line begins before the one it follows."
        ),
    ] = True,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="A machine speaks in the takes: mark and disclose them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Place, mix and remux takes that already exist: a human studio's, or another system's.

    Takes are held to be recordings of people, unless --synthetic or the cue list says that a machine speaks.

    Example: dub assemble cues.json --media lesson-01.mp4 --out lesson-01.es.mp4
    """
    from flows.assembling import assemble_takes

    assemble_takes(
        cues,
        media=media,
        out=out,
        loudness=loudness,
        subtitles=subtitles,
        anchored=anchored,
        synthetic=synthetic,
        json_wanted=as_json,
    )


@app.command()
def approve(
    manifest: Manifest,
    targets: Annotated[list[str], typer.Argument(metavar="LESSON:LANG…", help="What was listened to and may go out.")],
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="Who says so, for the record.")] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")] = "",
    out: Out = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Release targets that a quality gate holds in `out/review/`; a changed one needs another approval.

    Example: dub approve course.yaml lesson-02:es --by mireia --reason "the quiet line is meant"
    """
    from flows.approving import approve_targets

    approve_targets(manifest, targets, by=by, reason=reason, out=out, workspace=workspace, json_wanted=as_json)


app.command()(serve)
app.command()(deploy)


@app.command()
def verify(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A media file, ours or anybody's, or its address.")],
    as_json: AsJson = False,
) -> None:
    """Say what a media file says about itself: content credentials, watermark, tags; and one verdict.

    Example: dub verify out/intro-biology/lesson-01.es.mp4
    """
    from flows.verifying import show_verdict

    show_verdict(file, as_json)


@app.command()
def gc(
    manifest: Annotated[
        Path | None, typer.Argument(metavar="MANIFEST", help="A manifest, if its workspace is meant.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be freed.")] = False,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Free what no record needs any more: results of earlier settings, and what killed runs left.

    The latest results stay, finished files that are there, the takes they were made from, and whatever a revocation has
    to name; so an up-to-date run finds nothing to do afterwards. What people made is never touched.

    Examples: dub gc --dry-run; dub gc course.yaml
    """
    from flows.collecting import collect

    collect(manifest, workspace=workspace, dry_run=dry_run, json_wanted=as_json)


@app.command()
def doctor(
    licences: Annotated[bool, typer.Option("--licences", help="List the licence of everything that is used.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what this machine can do, and the command that mends each lack.

    Example: dub doctor
    """
    from flows.doctor import show_doctor

    show_doctor(licences, as_json)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where the course is made.")] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Make a small two-speaker course, dub it, and say where to look.

    Example: dub demo
    """
    from flows.demo import run_demo

    run_demo(folder, as_json)


def main() -> NoReturn:
    """Run a command; every expected error becomes one message and its exit code."""
    from manifests.quiet import settle

    settle()
    from flows.ending import ended

    ended(app)


if __name__ == "__main__":
    main()
