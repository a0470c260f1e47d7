"""Why a stage is to be done again, item by item and in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from manifests.commits import Commit
from manifests.model import Job
from tasks.reasons import Cause, causes, in_words
from tasks.stage import Engine, Made, Stage


@dataclass(frozen=True)
class Caps:
    soft_max: float = 1.25
    gap_s: float = 0.12


@dataclass(frozen=True)
class Params:
    limits: Caps = field(default_factory=Caps)
    loudness: str = "source"
    subtitles: tuple[str, ...] = ("srt",)
    signer: str = "a" * 64
    route: tuple[dict[str, int], ...] = ()


def stage(params: Params, engine: Engine | None = None, version: int = 1) -> Stage:
    return Stage(
        "mix", version, "target", ("source",), (), lambda job: params, lambda *all: Made({}), engine=lambda job: engine
    )


def made_from(engine: Engine | None = None, **was: Any) -> Commit:
    """A result of the usual settings and of a source `1`, but for what is given."""
    usual: dict[str, Any] = {
        "limits": {"soft_max": 1.25, "gap_s": 0.12},
        "loudness": "source",
        "subtitles": ["srt"],
        "signer": "a" * 64,
        "route": [],
    }
    notes = {"made_from": {"version": 1, "params": usual | was, "inputs": {"source": "1"}}}
    return Commit("mix", "k", {}, engine=engine.as_dict() if engine else {}, notes=notes)


def test_nothing_differs_of_what_is_as_it_was(job: Job) -> None:
    """Lists that became tuples on the way are the same."""
    assert causes(stage(Params()), job, {"source": "1"}, made_from()) == ()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (Params(limits=Caps(soft_max=1.3)), "timing.soft_max is 1.3, and was 1.25"),
        (Params(loudness="web"), "delivery.loudness is web, and was source"),
        (Params(subtitles=("srt", "embedded")), "delivery.subtitles is [srt, embedded], and was [srt]"),
        (Params(limits=Caps(gap_s=0.2)), "gap s is 0.2, and was 0.12"),
        (Params(route=({"model": 1},)), "route changed"),
        (Params(signer="b" * 64), "the signing certificate changed"),
        (
            Params(limits=Caps(soft_max=1.3), loudness="web"),
            "timing.soft_max is 1.3, and was 1.25; delivery.loudness is web, and was source",
        ),
    ],
)
def test_a_setting_is_named_by_its_key_in_the_manifest(job: Job, params: Params, words: str) -> None:
    """With both values where they are short; what has no key there, by its own name; a certificate as what it is."""
    assert in_words(causes(stage(params), job, {"source": "1"}, made_from())) == words


def test_inputs_are_named_together(job: Job) -> None:
    """Another one, one that is new and one that is gone; for programs with the digests."""
    found = causes(stage(Params()), job, {"source": "2", "captions": "3"}, made_from())
    assert in_words(found) == "source, captions changed"
    assert [cause.as_dict() for cause in found] == [
        {"kind": "input", "name": "source", "was": "1", "now": "2"},
        {"kind": "input", "name": "captions", "now": "3"},
    ]


def test_another_engine_is_named_with_the_one_before(job: Job) -> None:
    """Its version is no reason; its weights are."""
    before = made_from(Engine("apertium", "3.9"))
    assert causes(stage(Params(), Engine("argos", "1")), job, {"source": "1"}, before) == (
        Cause("engine", "engines.mix", "the engine is argos, and was apertium", "apertium", "argos"),
    )
    assert causes(stage(Params(), Engine("apertium", "4")), job, {"source": "1"}, before) == ()
    others = causes(stage(Params(), Engine("apertium", "4", "f" * 64)), job, {"source": "1"}, before)
    assert in_words(others) == "the weights of apertium are others"


def test_a_stage_that_works_differently_now_says_so(job: Job) -> None:
    """That nothing of the user's changed is worth knowing."""
    found = causes(stage(Params(), version=2), job, {"source": "1"}, made_from())
    assert in_words(found) == "dubflow does this stage differently now"
