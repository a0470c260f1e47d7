"""`dub gc` as its users have it."""

import pytest


@pytest.mark.slow
def test_after_a_collection_there_is_nothing_to_do(dub, demo, tmp_path):
    """What is said to be freed is what is freed, and an up-to-date course is up to date without it."""
    folder = demo[0]
    store = folder / ".dub/store"
    (store / "tmp/killed").mkdir()
    (store / "tmp/killed/half.wav").write_bytes(bytes(1000))
    would = dub("gc", folder / "course.yaml", "--dry-run", "--json").json
    assert (store / "tmp/killed").exists()
    told = dub("gc", folder / "course.yaml", "--json").json
    assert told == would | {"dry_run": False}
    assert (told["leftover_bytes"], told["beside_a_run"]) == (1000, False)
    assert told["results"].keys().isdisjoint({"split", "transcribe", "synthesize", "mix", "remux", "verify"})
    assert not (store / "tmp/killed").exists()
    assert dub("gc", folder / "course.yaml").out.startswith("freed 0 bytes: 0 objects\nkept ")
    ran = dub("run", folder / "course.yaml", "--json", PREFECT_API_URL="http://127.0.0.1:9/api")
    assert ran.code == 0
    plan = dub("plan", folder / "course.yaml", "--json").json
    assert {target["state"] for target in plan["targets"]} == {"cached"}


def test_a_folder_without_a_workspace_has_nothing_to_free(dub, tmp_path):
    """It is said, and none is made."""
    told = dub("gc", "--workspace", tmp_path / "nowhere")
    assert told.code == 2
    assert "there is no workspace" in told.err
    assert not (tmp_path / "nowhere").exists()
