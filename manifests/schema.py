"""The JSON Schema of a manifest, for editors; `python -m manifests.schema` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from manifests.model import Course

PATH: Final = Path(__file__).with_name("schema.json")

COMMAND: Final = "python -m manifests.schema"


def schema() -> dict[str, Any]:
    """What the loader takes: the model, and a CSV in place of the lessons."""
    course = Course.model_json_schema()
    properties = course["properties"]
    lessons = properties["lessons"]
    about = {key: lessons.pop(key) for key in ("description", "title")}
    csv = {"type": "string", "pattern": r"\.[cC][sS][vV]$", "description": "A CSV of lessons beside the manifest."}
    properties["lessons"] = {**about, "anyOf": [lessons, csv]}
    # Where a CSV is the manifest, the YAML beside it has no lessons; the loader asks for them.
    course["required"].remove("lessons")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **course,
        "title": "dubflow manifest",
    }


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
