"""What becomes, at an address, of outputs whose voice may no longer be used; a folder's are in test_consented_voice."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from flows.withdrawal import withdraw
from manifests.errors import StoreError
from manifests.lessons import jobs
from manifests.load import load
from manifests.model import Job
from manifests.remote import Remote
from manifests.workspace import Workspace


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "lesson.mp4").touch()
    manifest = tmp_path / "course.yaml"
    manifest.write_text(
        f"course: water\ntargets: [es, ca]\nout: memory://{uuid4().hex}\nlessons: [{{media: lesson.mp4}}]\n"
    )
    (job,) = jobs(manifest, load(manifest), workspace=tmp_path / ".dub")
    return job.model_copy(update={"language": "es"})


def delivered(job: Job, space: Workspace, name: str, voice: str) -> None:
    """A finished file and its record, in which somebody speaks."""
    depot = space.depots.at(job.address)
    depot.mirror.mkdir(parents=True, exist_ok=True)
    files = [depot.mirror / f"{name}.mp4", depot.mirror / f"{name}.dub.json"]
    files[0].write_text("picture and sound")
    files[1].write_text(json.dumps({"lines": [{"voice": {"kind": voice}}]}))
    depot.deliver(name, files)


def there(job: Job) -> set[str]:
    remote = Remote(job.address.rpartition("/")[0])
    return {entry.name for folder in ("water", "withdrawn") for entry in remote.tree(folder)}


@pytest.mark.parametrize("voice", ["clone", "stock"])
def test_only_outputs_in_a_persons_own_voice_are_moved_with_what_carries_all_languages(job: Job, voice: str) -> None:
    """To `withdrawn/` beside the course, where they are out of the way; another language's stay."""
    space = Workspace.open(job.workspace or job.manifest.parent / ".dub")
    for name in ("lesson.es", "lesson.ca", "lesson.multi"):
        delivered(job, space, name, voice)
    moved = withdraw(job, space)
    every = {
        f"water/{name}.{end}" for name in ("lesson.es", "lesson.ca", "lesson.multi") for end in ("mp4", "dub.json")
    }
    if voice == "stock":
        assert (moved, there(job)) == ((), every)
        return
    ours = {f"water/lesson.{name}.{end}" for name in ("es", "multi") for end in ("mp4", "dub.json")}
    assert there(job) == every - ours | {f"withdrawn/{name}" for name in ours}
    assert {place.removeprefix(job.address.removesuffix("water")) for place in moved} == {
        f"withdrawn/{name}" for name in ours
    }
    assert withdraw(job, space) == ()


def test_a_withdrawal_that_was_interrupted_is_finished_by_the_next_run(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whatever file the network went: the record, which tells whose voice it is, is moved last."""
    space = Workspace.open(job.workspace or job.manifest.parent / ".dub")
    for name in ("lesson.es", "lesson.multi"):
        delivered(job, space, name, "clone")
    move, moves = Remote.move, list[str]()

    def broken(self: Remote, name: str, to: str) -> None:
        moves.append(name)
        if len(moves) % 2 == 0:
            raise StoreError("the network is gone.")
        move(self, name, to)

    monkeypatch.setattr(Remote, "move", broken)
    for _ in range(3):
        with pytest.raises(StoreError):
            withdraw(job, space)
    monkeypatch.undo()
    withdraw(job, space)
    assert {name.partition("/")[0] for name in there(job)} == {"withdrawn"}
    assert len(there(job)) == 4
