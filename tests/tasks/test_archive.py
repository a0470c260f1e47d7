"""Archives from elsewhere: nothing in them reaches a file outside of their folder."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tasks.engines.archive import BadArchive, unpack


def packed(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), name)
    return path


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/out", "a/b/../../../out"])
def test_no_name_leads_out(tmp_path: Path, name: str) -> None:
    """Upward or absolute, it is refused before it is written."""
    archive = packed(tmp_path / "a.zip", "a/good", "b/good", name)
    (tmp_path / "in").mkdir()
    with pytest.raises(BadArchive, match="leads out of the archive"):
        unpack(archive, tmp_path / "in" / "it")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "in"]
    assert not Path("/out").exists()


def test_a_link_is_written_as_a_plain_file(tmp_path: Path) -> None:
    """So that what comes after it cannot be written through it."""
    link = zipfile.ZipInfo("a/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc")
        archive.writestr("b/other", "x")
    unpack(tmp_path / "a.zip", tmp_path / "it")
    assert not (tmp_path / "it/a/link").is_symlink()


def test_the_folder_around_everything_is_left_out(tmp_path: Path) -> None:
    """As packages come, with their name around them."""
    unpack(packed(tmp_path / "a.zip", "name-1.0/metadata.json", "name-1.0/model/model.bin"), tmp_path / "it")
    assert (tmp_path / "it/metadata.json").is_file()
    assert (tmp_path / "it/model/model.bin").is_file()


def test_what_is_not_whole_is_told(tmp_path: Path) -> None:
    """A copy that broke off."""
    archive = packed(tmp_path / "a.zip", "a/good")
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(BadArchive):
        unpack(archive, tmp_path / "it")
