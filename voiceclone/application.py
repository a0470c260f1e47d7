"""What an operator enters to record a consent: from flags, or from a YAML file.

id: amara-2026
person: amara
languages: [es, ca]
purposes: [training_video]
courses: [intro-biology]        # or any
document: agreement.pdf         # beside this file
expires: 2027-05-01             # the first day on which it no longer holds (UTC); a year from its begin if left out
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import AwareDatetime, Field, ValidationError

from manifests.errors import Finding, InputError, ManifestError
from voiceclone.consent import (
    DEFAULT_TERM,
    Capacity,
    Controller,
    Identifier,
    Language,
    Notice,
    Part,
    Retention,
    Territory,
    Word,
)


class Application(Part):
    """A consent to be recorded. Names that reach the person belong in the document alone."""

    id: Identifier
    person: Identifier
    languages: tuple[Language, ...] = Field(min_length=1)
    purposes: tuple[Word, ...] = Field(min_length=1)
    courses: Literal["any"] | tuple[Word, ...]
    territories: tuple[Territory, ...] = ("WORLD",)
    commercial: bool = False
    forbidden: tuple[Word, ...] = ()
    third_parties: tuple[Word, ...] = ()
    document: Path | None = None
    """The written agreement: a PDF, an image, …; it is copied."""
    signed_on: date | None = None
    signature: Literal["handwritten", "electronic", "qualified", "other"] | None = None
    begins: AwareDatetime | date | None = None
    """Now, where it is not given."""
    expires: AwareDatetime | date | None = None
    """The first day (from midnight, UTC) or instant at which it no longer holds; 12 months after it begins."""
    subject: Capacity = Capacity()
    controller: Controller = Controller()
    notice: Notice | None = None
    retention: Retention = Retention()

    def as_record(self, now: datetime) -> dict[str, Any]:
        """The fields of the first version of its record, without its files and its status."""
        begins = now if self.begins is None else _instant(self.begins)
        return {
            "id": self.id,
            "version": 1,
            "previous": None,
            "made_at": now,
            "subject": self.subject.model_dump() | {"person": self.person},
            "controller": self.controller,
            "notice": self.notice,
            "scope": {
                "languages": self.languages,
                "purposes": self.purposes,
                "courses": self.courses,
                "territories": self.territories,
                "commercial": self.commercial,
                "forbidden": self.forbidden,
                "third_parties": self.third_parties,
            },
            "validity": {
                "not_before": begins,
                "expires_at": begins + DEFAULT_TERM if self.expires is None else _instant(self.expires),
            },
            "retention": self.retention,
        }


def application(**fields: Any) -> Application:
    """An application from flags, which may be text. Raises InputError that names the first fault."""
    try:
        return Application.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"{_dotted(fault['loc'])}: {fault['msg']}.", remedy="See `dub consent add --help`.") from error


def read_application(path: Path) -> Application:
    """An application from a YAML file; its document lies beside it or below, links followed.

    Raises ManifestError with `file:line` for each fault, InputError where the file cannot be read.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read.", remedy="Give a YAML file in UTF-8.") from error
    try:
        tree: Any = YAML(typ="rt").load(text)  # pyright: ignore[reportUnknownMemberType]  ruamel types its streams loosely
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = str(getattr(error, "problem", None) or "this is not YAML")
        raise ManifestError([Finding(str(path), mark.line + 1 if mark else 1, message)]) from error
    if not isinstance(tree, dict):
        raise ManifestError([Finding(str(path), 1, "a consent is a mapping with the keys id, person, languages, …")])
    try:
        read = Application.model_validate(dict(cast("dict[str, Any]", tree)))
    except ValidationError as error:
        faults = [
            Finding(str(path), _line(cast("Any", tree), fault["loc"]), f"{_dotted(fault['loc'])}: {fault['msg']}")
            for fault in error.errors()
        ]
        raise ManifestError(faults) from error
    if read.document is None:
        return read
    document = path.parent / read.document
    inside = not read.document.is_absolute() and document.resolve().is_relative_to(path.parent.resolve())
    if not inside:
        line = _line(cast("Any", tree), ("document",))
        told = f"document: {read.document} lies outside the folder of this file; put a copy beside it."
        raise ManifestError([Finding(str(path), line, told)])
    return read.model_copy(update={"document": document})


def _instant(when: datetime | date) -> datetime:
    return when if isinstance(when, datetime) else datetime(when.year, when.month, when.day, tzinfo=UTC)


def _dotted(where: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in where)


def _line(tree: Any, where: Sequence[int | str]) -> int:
    line = 1
    for part in where:
        marks = getattr(tree, "lc", None)
        if marks is None or (isinstance(part, str) and part not in tree):
            break
        line = (marks.key(part) if isinstance(part, str) else marks.item(part))[0] + 1
        tree = tree[part]
    return line
