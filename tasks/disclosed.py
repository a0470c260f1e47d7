"""Disclosed: what a finished file itself says about its speech, checked by hearing, reading and verifying it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from manifests.record import Disclosure
from manifests.spans import RATE
from tasks.disclosure import TAG, says_so
from tasks.evidence import Evidence, Expected
from tasks.hearing import Heard
from tasks.media import Media
from tasks.mix_record import announced
from tasks.releasing import find_delivered
from voiceclone import chain, credentials
from voiceclone.inspection import tags_of
from voiceclone.listening import score_file
from voiceclone.watermark import MARKED


def disclosure(
    expected: Expected, evidence: Evidence, finished: Path, made: Media, track: int, heard: Heard
) -> Disclosure:
    """What the finished file itself says of its speech, as it is heard, read and verified there."""
    synthetic = {take.line for take in evidence.takes.takes if take.voice.kind != "recorded"}
    marked = expected.watermark and any(placement.line in synthetic for placement in evidence.timeline.placements)
    return Disclosure(
        watermark_score=_watermark_score(evidence, finished, made, track) if marked else None,
        content_credentials=credentials.read(finished, chain.anchors()).state,
        container_tag=says_so(tags_of(finished).get(TAG, ""), expected.language),
        spoken=announced(evidence.mix, heard) or False,
        shown=any(
            _shown(find_delivered(Path(path), sha256), expected.language)
            for path, sha256 in evidence.delivery.subtitles.items()
        ),
        switched_off=expected.switched_off,
        reason=expected.reason,
    )


def _watermark_score(evidence: Evidence, finished: Path, made: Media, track: int) -> float:
    """As `dub verify` scores it; where that hears too little speech, as in a lesson of one short line, of its lines."""
    length = made.duration / RATE
    found = score_file(finished, track, duration_s=length)
    if found >= MARKED:
        return found
    placed = [(placement.span.start_s, placement.span.end_s) for placement in evidence.timeline.placements]
    return max(found, score_file(finished, track, duration_s=length, spoken=placed))


def _shown(subtitles: Path, language: str) -> bool:
    """Whether the first cues say so, alone or in one row of each of the cues that they share with the first line."""
    texts = (cue.partition("-->")[2].splitlines()[1:] for cue in subtitles.read_text(encoding="utf-8").split("\n\n"))
    first_cues = [rows for rows in texts if rows][:4]
    alone = "".join(row for cue in first_cues for row in cue)
    shared = product(*(cue or [""] for cue in first_cues))
    return says_so(alone, language) or any(says_so("".join(rows), language) for rows in shared)
