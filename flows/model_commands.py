"""`dub models …` as the command line has it; what each command does is in `flows.modelling`, loaded when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.options import AsJson

models = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="The weights that a profile needs: list, fetch and verify them.",
)

What = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MANIFEST|MODEL]...", help="What a course needs, or models by their names."),
]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="P", help="`studio`, instead of the manifest's profile.")
]


@models.command("list")
def list_(what: What = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Say which models a course needs, or all that there are: size, licence, where from, whether they are here.

    Example: dub models list course.yaml --profile studio
    """
    from flows.modelling import list_models

    list_models(what or [], profile, as_json)


@models.command()
def pull(what: What = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Fetch models into the folder that DUB_MODELS names; what is there already is not fetched again.

    This alone goes out to the network. A transfer that broke off goes on where it stopped; checksums are compared. For
    a machine that is offline, copy the folder.

    Example: dub models pull course.yaml --profile studio
    """
    from flows.modelling import pull_models

    pull_models(what or [], profile, as_json)


@models.command()
def verify(what: What = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Compare models with what was fetched, byte by byte; all that are here, or those that are named.

    Example: dub models verify
    """
    from flows.modelling import verify_models

    verify_models(what or [], profile, as_json)
