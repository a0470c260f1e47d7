"""The stages in the order of the work: the pipeline's table of contents."""

from __future__ import annotations

from tasks import clone, diarize, mix, place, remux, split, synthesize, transcribe, translate, verify
from tasks.stage import Stage

PIPELINE: tuple[Stage, ...] = (
    split.STAGE,
    diarize.STAGE,
    transcribe.STAGE,
    translate.STAGE,
    clone.STAGE,
    synthesize.STAGE,
    place.STAGE,
    mix.STAGE,
    remux.STAGE,
    verify.STAGE,
)

BY_NAME = {stage.name: stage for stage in PIPELINE}
