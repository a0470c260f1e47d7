"""A consent from a YAML file: what is written is what is recorded, and every fault has its line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from manifests.errors import InputError, ManifestError
from voiceclone.application import application, read_application
from voiceclone.registry import Registry

WHOLE = """\
id: amara-2026
person: amara
languages: [es, pt-br]
purposes: [training_video]
courses: any
territories: [ES, AD]
commercial: true
forbidden: [political]
third_parties: [acme]
document: papers/agreement.pdf
signed_on: 2026-04-30
signature: handwritten
begins: 2026-05-01
expires: 2027-05-01
subject: {identity_proof: passport, identity_checked_by: operator-1}
controller: {organization: Example University}
retention: {statement_days: 30}
"""


def test_every_field_of_a_file_reaches_the_record(registry: Registry, tmp_path: Path) -> None:
    """The document is looked for beside the file; days begin at midnight, UTC."""
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "agreement.pdf").write_bytes(b"signed")
    (tmp_path / "amara.yaml").write_text(WHOLE)
    record = registry.add(read_application(tmp_path / "amara.yaml"))
    assert record.scope.languages == ("es", "pt-BR")
    assert record.scope.courses == "any"
    assert record.scope.territories == ("ES", "AD")
    assert (record.scope.commercial, record.scope.forbidden, record.scope.third_parties) == (
        True,
        ("political",),
        ("acme",),
    )
    assert record.validity.not_before == datetime(2026, 5, 1, tzinfo=UTC)
    assert record.validity.expires_at == datetime(2027, 5, 1, tzinfo=UTC)
    assert (record.subject.person, record.subject.identity_proof) == ("amara", "passport")
    assert record.controller.organization == "Example University"
    assert record.retention.statement_days == 30
    assert record.instrument is not None
    assert (record.instrument.suffix, record.instrument.method) == (".pdf", "handwritten")
    assert registry.verify("amara-2026").sound


def faults(tmp_path: Path, text: str) -> list[tuple[int, str]]:
    path = tmp_path / "amara.yaml"
    path.write_text(text)
    with pytest.raises(ManifestError) as caught:
        read_application(path)
    assert all(finding.file == str(path) for finding in caught.value.findings)
    return [(finding.line, finding.message.split(":")[0]) for finding in caught.value.findings]


@pytest.mark.parametrize(
    ("old", "new", "line", "key"),
    [
        ("person: amara", "person: ../amara", 2, "person"),
        ("languages: [es, pt-br]", "languages: [es, spanish]", 3, "languages.1"),
        ("courses: any", "courses: all", 5, "courses"),
        ("commercial: true", "comercial: true", 7, "comercial"),
        ("begins: 2026-05-01", "begins: soon", 13, "begins"),
        ("{statement_days: 30}", "{embedding_days: 4000}", 17, "retention.embedding_days"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, key: str) -> None:
    """Wrong values and unknown keys alike."""
    found = faults(tmp_path, WHOLE.replace(old, new))
    assert all(each[0] == line for each in found)
    assert found[0][1].startswith(key)


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    """All of it at once, at the top of the file."""
    assert {key for _, key in faults(tmp_path, "person: amara\n")} == {"id", "languages", "purposes", "courses"}


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "just words", "a: [1\n", "a: 1\na: 2\n", "!!python/object:os.system {}"]
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """Empty, a list, broken, a key twice, a tag that would make an object."""
    assert faults(tmp_path, text)


def test_flags_are_text_and_their_faults_are_named() -> None:
    """Dates are read from text; a wrong one is the user's to mend."""
    flags = {"id": "a", "person": "amara", "languages": ["es"], "purposes": ["training_video"], "courses": ["bio"]}
    assert application(**flags, expires="2027-05-01").expires == date(2027, 5, 1)
    with pytest.raises(InputError, match="expires"):
        application(**flags, expires="2027-13-01")
    with pytest.raises(InputError, match="id"):
        application(**flags | {"id": "../a"})


def test_a_file_that_is_not_there_is_the_users_to_mend(tmp_path: Path) -> None:
    """Also one that is no text."""
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("none.yaml", "binary.yaml"):
        with pytest.raises(InputError, match="cannot be read"):
            read_application(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../agreement.pdf", "papers/../../agreement.pdf", "link/agreement.pdf"]
)
def test_a_document_outside_the_files_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Neither an absolute name, nor `..`, nor a link leads out of the folder that the file came in."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (tmp_path / "agreement.pdf").write_bytes(b"somebody else's")
    assert faults(folder, WHOLE.replace("papers/agreement.pdf", name)) == [(10, "document")]
