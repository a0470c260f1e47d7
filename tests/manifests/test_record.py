"""The record's models: what is written, and that the schema beside them says the same."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

from manifests import record
from manifests.record import (
    Disclosure,
    LineTake,
    LineVoice,
    Loudness,
    Output,
    Placed,
    Problem,
    Record,
    RecordLine,
    Said,
    Source,
    Text,
    Timing,
)

LINE = RecordLine(
    id="1",
    speaker="SPEAKER_00",
    source=Said(start=1.0, end=3.0, text="Leaves are green.", confidence=0.9),
    text=Text(value="Las hojas son verdes.", origin="machine"),
    voice=LineVoice(kind="stock", engine="espeak-ng", name="es", reason="no consent"),
    take=LineTake(default_seconds=2.2, engine_rate=1.0, natural_seconds=2.2),
    placed=Placed(start=1.0, end=3.0, rate=1.1),
)


def a_record(**changes: object) -> Record:
    return Record.model_validate(
        {
            "course": "biology",
            "lesson": "lesson-01",
            "language": "es",
            "state": "done",
            "source": Source(path="../../media/lesson-01.mp4", sha256="0" * 64, duration=10.0),
            "output": Output(path="lesson-01.es.mp4", sha256="1" * 64, duration=10.0, streams=()),
            "lines": (LINE,),
            "timing": Timing(
                overlap_s=0,
                cut_s=0,
                max_rate=1.1,
                p95_rate=1.1,
                rate_compliance=1,
                smoothness=None,
                onset_p50=0,
                onset_p95=0,
                drift_s_per_h=None,
                speech_overlap=1,
            ),
            "loudness": Loudness(integrated_lufs=-16.2, true_peak_dbtp=-1.4),
            "disclosure": Disclosure(
                watermark_score=None, content_credentials="none", container_tag=True, spoken=False, shown=True
            ),
            "engines": {"translate": {"name": "apertium", "version": "3.8.3"}},
            "stages": {"place": {"state": "done", "seconds": 0.1, "cached": False}},
            **changes,
        }
    )


def test_a_record_is_written_with_the_documented_keys() -> None:
    """The names that other programs read, at every level, and `schema` first."""
    written = json.loads(a_record().text())
    assert list(written) == [
        "schema",
        "course",
        "lesson",
        "language",
        "state",
        "source",
        "output",
        "lines",
        "timing",
        "loudness",
        "disclosure",
        "engines",
        "stages",
        "problems",
        "notes",
    ]
    assert written["schema"] == 1
    assert set(written["lines"][0]) == {"id", "speaker", "source", "text", "voice", "take", "placed", "flags"}
    assert written["lines"][0]["voice"] == {
        "kind": "stock",
        "engine": "espeak-ng",
        "name": "es",
        "reason": "no consent",
    }
    assert written["engines"]["translate"] == {"name": "apertium", "version": "3.8.3"}
    assert written["problems"] == []


def test_what_does_not_apply_is_absent_and_what_cannot_be_told_is_null() -> None:
    """A line that is not spoken has no `placed`; a missing watermark's score is null."""
    unspoken = LINE.model_copy(update={"placed": None})
    written = json.loads(
        a_record(
            lines=(unspoken,), state="partial", problems=(Problem(line="1", stage="place", message="lacks 0.40 s"),)
        ).text()
    )
    assert "placed" not in written["lines"][0]
    assert written["disclosure"]["watermark_score"] is None
    assert written["timing"]["drift_s_per_h"] is None
    assert written["problems"] == [{"line": "1", "stage": "place", "message": "lacks 0.40 s"}]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Reading a written record gives the same values."""
    path = tmp_path / "lesson-01.es.dub.json"
    path.write_text(a_record().text(), encoding="utf-8")
    assert Record.read(path) == a_record()


def test_an_unknown_state_or_key_is_refused() -> None:
    """A typing error in the code that fills the record is found before it is written."""
    with pytest.raises(ValidationError):
        a_record(state="finished")
    with pytest.raises(ValidationError):
        a_record(colour="green")


def test_the_schema_that_is_shipped_is_the_models() -> None:
    """`manifests/record.schema.json` is up to date."""
    assert record.PATH.read_text(encoding="utf-8") == record.schema_text(), f"run {record.COMMAND}"


def test_a_written_record_fits_the_schema_and_a_mistaken_one_does_not() -> None:
    """Another program that validates by the shipped schema accepts what is written."""
    written = json.loads(a_record(lines=(LINE, LINE.model_copy(update={"placed": None, "take": None}))).text())
    jsonschema.validate(written, record.schema())
    written["lines"][0]["placed"]["rate"] = "fast"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, record.schema())
