"""The audit log: whatever is done to it is found, and a crash is not mistaken for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceclone import keys
from voiceclone.audit import AuditLog, Pin
from voiceclone.keys import OperatorKey
from voiceclone.private import RegistryError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
Change = Callable[[list[bytes]], list[bytes]]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> OperatorKey:
    return keys.create(tmp_path_factory.mktemp("keys"))


def six(root: Path, key: OperatorKey) -> AuditLog:
    """A log of six entries: init and five changes."""
    log = AuditLog(root, key)
    log.create("r1", NOW)
    for version in range(1, 6):
        log.append("amend", NOW, consent="amara-2026", record=Pin(version=version, sha256="0" * 64), status="active")
    return log


@pytest.fixture
def log(tmp_path: Path, key: OperatorKey) -> AuditLog:
    return six(tmp_path, key)


def rewrite(log: AuditLog, change: Change) -> None:
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(change(lines)))


def test_a_log_that_nobody_touched_is_sound(log: AuditLog) -> None:
    """Six entries stand, their epoch counts the five changes, and the last version is pinned."""
    report = log.verify()
    assert (report.entries, report.fault, report.torn) == (6, None, 0)
    assert log.state().epoch == 5
    assert log.state().records["amara-2026"].version == 5
    assert [entry.action for entry in log.entries()] == ["init", *["amend"] * 5]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda lines: lines[:2] + lines[3:], "entry 3 was removed"),
        (lambda lines: lines[1:], "entry 1 was removed"),
        (lambda lines: lines[:-1], "entry 6 was removed from the end"),
        (lambda lines: lines[:3], "entry 4 to 6 was removed from the end"),
        (lambda lines: [], "entry 1 to 6 was removed from the end"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "entry 3 is out of order"),
        (lambda lines: [*lines[:3], lines[1], *lines[3:]], "entry 2 stands again before entry 4"),
        (lambda lines: [*lines[:3], b'{"seq":4}\n', *lines[3:]], "something was inserted before entry 4"),
        (lambda lines: [*lines, b'{"seq":7}\n'], "entry 7 was changed"),
        (lambda lines: [*lines, lines[-1]], "entry 6 stands again before entry 7"),
        (lambda lines: [lines[0], lines[1].replace(b"amara", b"bruno"), *lines[2:]], "entry 2 was changed"),
        (lambda lines: [*lines[:5], lines[5].replace(b"amara", b"bruno")], "entry 6 was changed"),
        (lambda lines: [*lines[:5], lines[5].rstrip(b"\n")], "entry 6 was changed"),
    ],
)
def test_the_first_fault_is_found_and_named(log: AuditLog, change: Change, fault: str) -> None:
    """Changed, removed from the middle or the end, reordered, doubled, inserted: each by its number."""
    rewrite(log, change)
    assert log.verify().fault == fault


def test_entries_of_another_history_do_not_fit(log: AuditLog, tmp_path: Path, key: OperatorKey) -> None:
    """A genuine entry of another run of the same log, or of another registry, is not this log's."""
    (tmp_path / "fork").mkdir()
    fork = AuditLog(tmp_path / "fork", key)
    fork.create("r1", NOW)
    for version in range(1, 6):
        fork.append("amend", NOW, consent="bruno-2026", record=Pin(version=version, sha256="1" * 64))
    other = fork.path.read_bytes().splitlines(keepends=True)
    rewrite(log, lambda lines: [*lines[:3], other[3], *lines[4:]])
    assert log.verify().fault == "entry 4 does not follow entry 3"
    (tmp_path / "elsewhere").mkdir()
    foreign = AuditLog(tmp_path / "elsewhere", key)
    foreign.create("r2", NOW)
    rewrite(log, lambda lines: [foreign.path.read_bytes(), *lines[1:]])
    assert log.verify().fault == "entry 1 is another registry's"


def test_a_genuine_head_of_another_history_does_not_fit(log: AuditLog, tmp_path: Path, key: OperatorKey) -> None:
    """Signed and as long, but it ends otherwise: what it pins cannot be believed."""
    (tmp_path / "fork").mkdir()
    fork = AuditLog(tmp_path / "fork", key)
    fork.create("r1", NOW)
    for version in range(1, 6):
        fork.append("amend", NOW, consent="amara-2026", record=Pin(version=version, sha256="1" * 64))
    log.head_path.write_bytes(fork.head_path.read_bytes())
    assert log.verify().fault == "audit.head.json does not fit entry 6"


def test_a_log_of_another_key_is_refused(log: AuditLog, tmp_path: Path) -> None:
    """Whoever rewrites the whole log and its head without the key is found at once."""
    stranger = AuditLog(tmp_path, keys.create(tmp_path / "stranger"))
    stranger.head_path.unlink()
    stranger.path.unlink()
    stranger.create("r1", NOW)
    assert log.verify().fault is not None
    with pytest.raises(RegistryError, match="another key"):
        log.state()


def test_a_missing_or_exchanged_head_is_found(log: AuditLog) -> None:
    """Without its head nobody knows where the log ends."""
    old = log.head_path.read_bytes()
    log.append("amend", NOW, consent="amara-2026", record=Pin(version=6, sha256="0" * 64))
    rewrite(log, lambda lines: lines[:-1])
    assert log.verify().fault == "entry 7 was removed from the end"
    log.head_path.unlink()
    assert str(log.verify().fault).startswith("audit.head.json")
    with pytest.raises(RegistryError):
        log.state()
    log.head_path.write_bytes(old)
    assert log.verify().sound


def test_a_shortened_log_refuses_to_answer_or_to_grow(log: AuditLog) -> None:
    """Nothing is appended over a hole."""
    rewrite(log, lambda lines: lines[:-1])
    for attempt in (log.state, lambda: log.append("amend", NOW)):
        with pytest.raises(RegistryError, match="lacks its end"):
            attempt()


def test_an_entry_that_a_crash_left_without_its_head_counts(log: AuditLog) -> None:
    """The log may be ahead of its head by whole, signed entries: a revocation is never lost so."""
    old = log.head_path.read_bytes()
    log.append("revoke", NOW, consent="amara-2026", record=Pin(version=6, sha256="0" * 64))
    log.head_path.write_bytes(old)
    assert log.state().records["amara-2026"].version == 6
    assert log.state().epoch == 6
    assert log.verify().sound
    log.append("amend", NOW)
    assert log.verify().entries == 8


@pytest.mark.parametrize("left", [b"{", b'{"body":{"action":"rev', b"\x00\x00"])
def test_a_torn_last_line_is_repaired_by_the_next_change_and_said(log: AuditLog, left: bytes) -> None:
    """A crash within a write is no tampering; what was cut off is noted by its length and hash."""
    with log.path.open("ab") as stream:
        stream.write(left)
    report = log.verify()
    assert report.sound
    assert report.torn == len(left)
    assert log.state().seq == 6
    log.append("suspend", NOW, consent="amara-2026", record=Pin(version=6, sha256="0" * 64))
    *_, repair, last = log.entries()
    assert (repair.action, repair.details["removed_bytes"], last.action) == ("repair", len(left), "suspend")
    assert log.verify().sound


def test_every_possible_cut_of_the_last_entry_is_either_repaired_or_found(log: AuditLog) -> None:
    """Cut before the head was written it is a crash; cut afterwards it is tampering. Neither passes for the other."""
    before, old_head = log.path.read_bytes(), log.head_path.read_bytes()
    log.append("suspend", NOW, consent="amara-2026", record=Pin(version=6, sha256="0" * 64))
    after, new_head = log.path.read_bytes(), log.head_path.read_bytes()
    for length in range(len(before), len(after), 23):
        log.path.write_bytes(after[:length])
        log.head_path.write_bytes(old_head)
        assert log.verify().sound
        log.head_path.write_bytes(new_head)
        assert not log.verify().sound


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, key: OperatorKey) -> AuditLog:
    return six(tmp_path_factory.mktemp("log"), key)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_single_byte_changed_in_log_or_head_is_found(standing: AuditLog, data: st.DataObject) -> None:
    """Whichever byte of either file becomes whatever other byte."""
    path = data.draw(st.sampled_from([standing.path, standing.head_path]))
    original = path.read_bytes()
    position = data.draw(st.integers(0, len(original) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != original[position]))
    try:
        path.write_bytes(original[:position] + bytes([byte]) + original[position + 1 :])
        assert not standing.verify().sound
    finally:
        path.write_bytes(original)


@settings(max_examples=80, deadline=None)
@given(order=st.permutations(range(6)), count=st.integers(0, 6))
def test_any_selection_or_order_of_its_own_lines_but_the_right_one_is_found(
    standing: AuditLog, order: list[int], count: int
) -> None:
    """Genuine lines alone do not make a genuine log."""
    original = standing.path.read_bytes()
    lines = original.splitlines(keepends=True)
    chosen = b"".join(lines[index] for index in order[:count])
    try:
        standing.path.write_bytes(chosen)
        assert standing.verify().sound is (chosen == original)
    finally:
        standing.path.write_bytes(original)
