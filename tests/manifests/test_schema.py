"""The schema that editors use says what the loader takes; the examples are proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from manifests import schema
from manifests.lessons import jobs
from manifests.load import load

EXAMPLES = Path(schema.__file__).with_name("examples")


def test_the_shipped_schema_is_the_models() -> None:
    """Whoever changes the model writes the schema anew."""
    assert schema.PATH.read_text(encoding="utf-8") == schema.text(), f"schema.json is old; run: {schema.COMMAND}"


def test_every_key_is_described() -> None:
    """An editor shows what each key means."""
    whole = schema.schema()
    Draft202012Validator.check_schema(whole)
    for part in (whole, *whole["$defs"].values()):
        assert part["description"]
        assert [name for name, key in part["properties"].items() if not key.get("description")] == []


@pytest.mark.parametrize("example", sorted(filter(Path.is_file, EXAMPLES.iterdir())), ids=lambda path: path.name)
def test_an_example_loads_and_fits_the_schema(example: Path) -> None:
    """Each example is a manifest of today, and names the schema for editors."""
    assert jobs(example, load(example))
    if example.suffix == ".yaml":
        text = example.read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $schema=../schema.json\n")
        Draft202012Validator(schema.schema()).validate(YAML(typ="safe").load(text))


@pytest.mark.parametrize(
    "change", [{"glosary": "x"}, {"targets": []}, {"course": ".."}, {"lessons": "lessons.txt"}, {"commercial": "yes"}]
)
def test_the_schema_refuses_what_the_loader_refuses(change: dict[str, Any]) -> None:
    """Unknown keys and wrong values are red in the editor already."""
    fine = {"course": "x", "targets": ["es"], "lessons": [{"media": "a.mp4"}]}
    checker = Draft202012Validator(schema.schema())
    assert checker.is_valid(fine)
    assert not checker.is_valid(fine | change)


def test_the_full_example_names_every_key_that_works_today() -> None:
    """A newcomer finds every key in one file."""
    text = (EXAMPLES / "course.yaml").read_text(encoding="utf-8")
    later = {"engines"}
    assert [name for name in schema.schema()["properties"] if f"{name}:" not in text] == sorted(later)
