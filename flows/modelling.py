"""`dub models list`, `pull` and `verify`: what is here, what is not, and getting it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from flows.answering import print_json
from flows.order import Order
from flows.saying import say
from flows.standing import BLOCKED, DONE, UNFINISHED
from flows.wanted import manifest_path, wanted
from manifests import settings
from manifests.errors import DubError, InputError
from manifests.workspace import locate
from tasks.engines import fetching
from tasks.engines.models import Model
from tasks.needs import Need, of_jobs, offered


def list_models(what: Sequence[str], profile: str | None, json_wanted: bool) -> None:
    """Print models; without a name or a manifest all that any engine knows."""
    needs = _asked(what, profile) if what else offered()
    folder = settings.of().models
    rows = [_facts(need, folder) for need in needs]
    if json_wanted:
        print_json({"folder": str(folder) if folder else None, "models": rows})
        return
    if not needs:
        Console().print("no weights are needed")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "for", "here", "size", "licence", "from"):
        whole = heading in ("model", "here", "size")  # names are there to be copied
        table.add_column(heading, overflow="fold", no_wrap=whole, justify="right" if heading == "size" else "left")
    for need, row in zip(needs, rows, strict=True):
        table.add_row(
            need.model.name, f"{need.stage}: {need.engine}", row["state"], _size(need.model), need.model.licence,
            f"{need.model.source}{' (accept its terms)' if need.model.terms else ''}",
        )  # fmt: skip
    console = Console()
    console.print(table)
    missing = [need.model for need in needs if need.model.there is None]
    console.print(f"{len(needs) - len(missing)} of {len(needs)} are in {folder or 'no folder: DUB_MODELS names none'}")
    if what and missing:
        console.print(f"dub models pull {' '.join(model.name for model in missing)}", markup=False, soft_wrap=True)


def pull_models(what: Sequence[str], profile: str | None, json_wanted: bool) -> NoReturn:
    """Fetch what is missing; one that fails does not keep the others from being fetched. Exit 3 where one failed."""
    if not what:
        raise InputError("nothing to pull.", remedy="Name a manifest or models; dub models list names them.")
    needs = _asked(what, profile)
    folder = _folder()
    rows: list[dict[str, Any]] = []
    for need in needs:
        model = need.model
        row: dict[str, Any] = {"name": model.name, "state": "here"}
        try:
            if model.there is None or fetching.faults(model, folder / model.name):
                say(f"{model.name}: fetching {_size(model)} from {model.source or 'nowhere'}")
                receipt = fetching.pull(model, folder / model.name)
                row |= {"state": "fetched", "revision": receipt.revision, "files": dict(receipt.files)}
        except DubError as error:
            row |= {"state": "missing", "why": str(error)}
        say(f"{model.name}: {row.get('why', row['state'])}")
        rows.append(row)
    if json_wanted:
        print_json({"folder": str(folder), "models": rows})
    raise typer.Exit(UNFINISHED if any(row["state"] == "missing" for row in rows) else DONE)


def verify_models(what: Sequence[str], profile: str | None, json_wanted: bool) -> NoReturn:
    """Print what is wrong with each; exit 4 where something is."""
    folder = _folder()
    needs = _asked(what, profile) if what else [need for need in offered() if (folder / need.model.name).is_dir()]
    rows: list[dict[str, Any]] = []
    for model in {need.model.name: need.model for need in needs}.values():
        found = fetching.faults(model, folder / model.name)
        noted = fetching.read_receipt(folder / model.name) is not None
        state = "broken" if found else "whole" if noted else "there, with no checksums to compare"
        rows.append({"name": model.name, "state": state, "problems": list(found)})
    if json_wanted:
        print_json({"folder": str(folder), "models": rows})
    else:
        for row in rows:
            sys.stdout.write(f"{row['name']}: {row['state']}{''.join(f'; {said}' for said in row['problems'])}\n")
            if row["problems"]:
                sys.stdout.write(f"dub models pull {row['name']}\n")
        if not rows:
            sys.stdout.write(f"there is no model in {folder}\n")
    raise typer.Exit(BLOCKED if any(row["problems"] for row in rows) else DONE)


def _asked(what: Sequence[str], profile: str | None) -> list[Need]:
    """What was asked for by name or by manifest, each model once. Raises InputError for a name that is none."""
    offers = {need.model.name: need for need in reversed(offered())}
    found: dict[str, Need] = {}
    for name in what:
        path = Path(name)
        if name in offers:
            found.setdefault(name, offers[name])
        elif path.suffix in (".yaml", ".yml", ".csv") or path.is_file():
            manifest = manifest_path(path)
            selection = wanted(Order(manifest=manifest, workspace=locate(manifest), profile=profile))
            for need in of_jobs(selection.targets):
                found.setdefault(need.model.name, need)
        else:
            raise InputError(f"there is no model called {name!r}.", remedy="dub models list names them.")
    return list(found.values())


def _folder() -> Path:
    folder = settings.of().models
    if folder is None:
        raise InputError(
            "DUB_MODELS names no folder for models.",
            remedy='Set it, or write `models = "FOLDER"` into dubflow.toml.',
        )
    return folder


def _facts(need: Need, folder: Path | None) -> dict[str, Any]:
    model = need.model
    here = folder / model.name if folder else None
    state = "yes" if model.there else "in part" if here and here.is_dir() else "no"
    return {
        "name": model.name,
        "stage": need.stage,
        "engine": need.engine,
        "state": state,
        "lacking": list(model.lacking(here)) if here else list(model.files),
        "bytes": model.size,
        "licence": model.licence,
        "commercial": model.commercial,
        "source": model.source,
        "terms": model.terms,
        "languages": list(model.languages),
    }


def _size(model: Model) -> str:
    return f"{model.size / 1e9:.2f} GB" if model.size else "?"
