"""A lecturer who said yes sounds like themselves, and stops when they say no."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

pytestmark = pytest.mark.slow

SENTENCES = (
    "Good morning and welcome to the first lesson of this course.",
    "Every day the sun heats the water of the sea.",
    "A part of this water rises into the air, and we can not see it.",
    "Many small drops together make a white cloud.",
    "When the drops are heavy, they fall to the ground, and we call it rain.",
)


@pytest.fixture(scope="module")
def course(dub, tmp_path_factory) -> Path:
    """Two lessons of which the manifest says that one lecturer gives both: she agreed to be cloned in Spanish, and the
    second is somebody else's. Dubbed."""
    folder = tmp_path_factory.mktemp("consented")
    record_lesson(folder / "lesson.m4a", "slt", SENTENCES)
    record_lesson(folder / "other.m4a", "rms", SENTENCES[:3])
    (folder / "agreement.txt").write_text("I agree.")
    (folder / "course.yaml").write_text(
        "course: water\ntargets: [es]\npeople: {amara: {consent: amara-2026}}\n"
        "speakers: {single: amara}\nlessons: [{media: lesson.m4a}, {media: other.m4a}]\n"
    )
    assert dub("consent", "init").code == 0
    added = dub(
        *("consent", "add", "amara-2026", "--person", "amara", "--languages", "es", "--purpose", "training_video"),
        *("--course", "water", "--document", folder / "agreement.txt", "--expires", "2030-01-01"),
    )
    assert added.code == 0, added.err
    ran = dub("run", folder / "course.yaml")
    assert ran.code == 0, ran.err
    return folder


def record_lesson(path: Path, voice: str, sentences: Sequence[str]) -> None:
    """A lesson in one of flite's voices, with pauses of 0.7 s."""
    inputs: list[str] = []
    for number, text in enumerate(sentences):
        clip = path.with_name(f"{path.stem}-{number}.wav")
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(clip)], check=True, timeout=60)
        inputs += ["-i", str(clip)]
    parts = "".join(f"[{number}]aresample=48000,apad=pad_dur=0.7[p{number}];" for number in range(len(sentences)))
    joined = "".join(f"[p{number}]" for number in range(len(sentences)))
    graph = f"{parts}{joined}concat=n={len(sentences)}:v=0:a=1[sound]"
    command = ["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", graph, "-map", "[sound]"]
    subprocess.run([*command, str(path)], check=True, timeout=60)


def record(course: Path, lesson: str = "lesson") -> dict[str, Any]:
    return json.loads((course / f"out/water/{lesson}.es.dub.json").read_text(encoding="utf-8"))


def test_every_line_names_the_person_and_the_consent(course: Path) -> None:
    """The record says whose voice it is, and on what permission."""
    voices = [line["voice"] for line in record(course)["lines"]]
    assert voices
    assert {(voice["kind"], voice["person"], voice["consent"]) for voice in voices} == {
        ("clone", "amara", "amara-2026")
    }


def test_how_like_her_every_line_sounds_is_in_the_record(course: Path) -> None:
    """Measured on each take against her own speech; two people measure about 0.55."""
    assert min(line["voice"]["similarity"] for line in record(course)["lines"]) > 0.6


def test_she_is_enrolled_from_the_lesson_itself(course: Path, dub) -> None:
    """With the lesson, its digest and the spans; the voice is trained from it once."""
    listed = dub("voices", "list", "--workspace", course / ".dub", "--json")
    [voice] = listed.json["voices"]
    assert (voice["person"], voice["gathered_from"], voice["trained"]) == ("amara", ["lesson"], ["es"])
    kept = json.loads((course / ".dub/voices/amara/enrolment.json").read_text(encoding="utf-8"))
    assert {clip["origin"]["source_sha256"] for clip in kept["clips"]} == {record(course)["source"]["sha256"]}


def test_her_voice_is_not_lent_to_somebody_whom_the_manifest_calls_her(course: Path) -> None:
    """The second lesson is a man's: a stock voice, and the reason says whose voice was expected from where."""
    voices = [line["voice"] for line in record(course, "other")["lines"]]
    assert {voice["kind"] for voice in voices} == {"stock"}
    assert "but the voice is somebody else's" in voices[0]["reason"]
    assert "known from the lesson lesson" in voices[0]["reason"]


def test_the_finished_file_says_that_it_is_synthetic(course: Path, dub) -> None:
    """Signed, marked, and verified from the file alone."""
    ran = dub("verify", course / "out/water/lesson.es.m4a", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["verdict"] == "authentic"
    assert ran.json["watermark"]["score"] > 0.5


def test_a_likeness_below_the_gate_waits_for_somebody_who_listens(course: Path, dub) -> None:
    """Held in `out/review/`, with how like her it is; one yes releases it, and the next run leaves it so."""
    manifest, given_out = course / "course.yaml", course / "out/water/lesson.es.m4a"
    plain = manifest.read_text()
    manifest.write_text(plain + "quality: {similarity: 0.99}\n")
    ran = dub("run", manifest, "--only", "lesson:es", "--json")
    assert ran.code == 4, ran.err
    [target] = ran.json["targets"]
    assert target["state"] == "review"
    assert [problem["gate"] for problem in target["problems"]] == ["similarity"]
    assert (given_out.exists(), (course / "out/review/water/lesson.es.m4a").exists()) == (False, True)
    assert dub("approve", manifest, "lesson:es", "--by", "mireia", "--reason", "it is her").code == 0
    assert given_out.exists()
    assert (record(course)["state"], record(course)["approved"]["gates"]) == ("done", ["similarity"])
    assert dub("run", manifest, "--only", "lesson:es").code == 0
    manifest.write_text(plain)
    assert dub("run", manifest).code == 0


@dataclass(frozen=True)
class Away:
    """The lesson's outputs at an S3 server, beside those in the folder, and how commands reach it."""

    address: str
    environment: dict[str, str]

    def there(self) -> set[str]:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=self.environment["AWS_ENDPOINT_URL"], **keys)
        prefix = self.address.partition("dub/")[2]
        found = client.list_objects_v2(Bucket="dub", Prefix=prefix).get("Contents", [])
        return {each["Key"].removeprefix(prefix) for each in found}


@pytest.fixture(scope="module")
def away(course: Path, dub, s3) -> Away:
    """The lesson was delivered to an address, in her voice."""
    made = Away(f"s3://dub/{uuid4().hex}/", s3.environment)
    ran = dub("run", course / "course.yaml", "--only", "lesson:es", "--out", made.address, **made.environment)
    assert ran.code == 0, ran.err
    return made


FILES = {"lesson.es.m4a", "lesson.es.srt", "lesson.es.dub.json"}


def test_what_lies_at_an_address_is_done_again_there(course: Path, dub, away: Away) -> None:
    """`dub rerun` with `--out` makes what is named, and the file there is hers and says so."""
    assert away.there() == {f"water/{name}" for name in FILES}
    again = ("rerun", course / "course.yaml", "lesson:es", "--from", "verify", "--out", away.address, "--json")
    ran = dub(*again, **away.environment)
    assert ran.code == 0, ran.err
    [target] = ran.json["targets"]
    assert target["output"] == f"{away.address}water/lesson.es.m4a"
    assert {name for name, stage in target["stages"].items() if not stage["cached"]} == {"verify"}
    told = dub("verify", target["output"], "--json", **away.environment)
    assert (told.code, told.json["verdict"]) == (0, "authentic")


def test_a_revocation_names_the_output_erases_the_voice_and_lets_a_stock_voice_speak(
    course: Path, dub, away: Away
) -> None:
    """Told in the order it happens: revoke, plan, run. What lies at an address is named too."""
    revoked = dub("consent", "revoke", "amara-2026", "--reason", "she asked", **away.environment)
    assert revoked.code == 0, revoked.err
    assert f"{away.address}water/lesson.es.m4a" in revoked.out.splitlines()
    assert str(course / "out/water/lesson.es.m4a") in revoked.out.splitlines()
    commits = (course / ".dub/store/commits").glob("*/*.json")
    assert not [path for path in commits if json.loads(path.read_text())["people"]]
    assert not list((course / ".dub/store/objects").glob("*/*.safetensors"))
    assert not list((course / ".dub/voices").rglob("*.*"))
    assert dub("plan", course / "course.yaml", "--json").json["targets"][0]["state"] == "run"
    ran = dub("run", course / "course.yaml")
    assert ran.code == 0, ran.err
    voices = [line["voice"] for line in record(course)["lines"]]
    assert {voice["kind"] for voice in voices} == {"stock"}
    assert "revoked" in voices[0]["reason"]


def test_where_consent_is_required_a_withdrawn_output_leaves_the_shelf(course: Path, dub) -> None:
    """Under `require_consent` the target is blocked, and what was made in the voice before is moved away."""
    manifest = course / "course.yaml"
    manifest.write_text(manifest.read_text() + "require_consent: true\n")
    old = record(course)
    old["lines"][0]["voice"] |= {"kind": "clone", "person": "amara", "consent": "amara-2026"}
    (course / "out/water/lesson.es.dub.json").write_text(json.dumps(old))
    assert dub("plan", manifest, "--json").json["targets"][0]["state"] == "blocked"
    ran = dub("run", manifest)
    assert ran.code == 4, ran.err
    assert not (course / "out/water/lesson.es.m4a").exists()
    assert (course / "out/withdrawn/water/lesson.es.m4a").exists()


def test_at_an_address_too_what_is_in_a_withdrawn_voice_leaves_the_shelf(course: Path, dub, away: Away) -> None:
    """It was never made anew there since: the next run under `require_consent` puts it away, and `dub status` and
    `dub verify` tell it."""
    manifest = course / "course.yaml"
    assert "require_consent: true" in manifest.read_text()
    assert away.there() == {f"water/{name}" for name in FILES}
    ran = dub("run", manifest, "--only", "lesson:es", "--out", away.address, "--json", **away.environment)
    assert ran.code == 4, ran.err
    assert away.there() == {f"withdrawn/water/{name}" for name in FILES}
    stands = dub("status", manifest, "--json", **away.environment).json["targets"][0]
    assert (stands["state"], stands.get("output")) == ("blocked", None)
    assert "revoked" in stands["problems"][0]["message"]
    gone = dub("verify", f"{away.address}water/lesson.es.m4a", **away.environment)
    assert (gone.code, gone.err.partition(". ")[0]) == (2, f"dub: there is no file {away.address}water/lesson.es.m4a")
    kept = dub("verify", f"{away.address}withdrawn/water/lesson.es.m4a", "--json", **away.environment)
    assert (kept.code, kept.json["verdict"]) == (0, "authentic")
