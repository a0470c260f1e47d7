"""A course whose outputs go to an S3 server: everything that touches finished files asks the address."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

pytestmark = pytest.mark.slow

TEXT = "Every day the sun heats the water of the sea. Many small drops together make a white cloud."


@dataclass
class Library:
    """One short lesson in a folder, and the address of its outputs."""

    folder: Path
    run: Callable[..., Any]
    client: Any
    prefix: str = field(default_factory=lambda: uuid4().hex)

    @property
    def manifest(self) -> Path:
        return self.folder / "course.yaml"

    def written(self, *more: str) -> None:
        head = (f"course: water\ntargets: [es]\nout: s3://dub/{self.prefix}/", "lessons: [{media: lesson.mp4}]", *more)
        self.manifest.write_text("\n".join((*head, "delivery: {hls: true}", "")))

    def there(self) -> dict[str, str]:
        """Names at the address, and the tag and the time of each."""
        found = self.client.list_objects_v2(Bucket="dub", Prefix=self.prefix).get("Contents", [])
        return {each["Key"].removeprefix(f"{self.prefix}/"): f"{each['ETag']} {each['LastModified']}" for each in found}

    def record(self, name: str) -> Any:
        return json.load(self.client.get_object(Bucket="dub", Key=f"{self.prefix}/{name}")["Body"])


@pytest.fixture
def library(dub: Any, s3: Any, tmp_path: Path) -> Library:
    subprocess.run(["flite", "-voice", "slt", "-t", TEXT, "-o", str(tmp_path / "l.wav")], check=True, timeout=60)
    picture = ["-f", "lavfi", "-i", "color=c=0x20374c:s=320x180:r=25", "-i", str(tmp_path / "l.wav"), "-shortest"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, *codecs, str(tmp_path / "lesson.mp4")], check=True, timeout=60)
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=s3.environment["AWS_ENDPOINT_URL"], **keys)
    made = Library(tmp_path, lambda *words: dub(*words, **s3.environment), client)
    made.written()
    return made


TARGET = tuple(f"lesson.es.{ending}" for ending in ("dub.json", "mp4", "srt"))


def test_a_course_lives_at_an_address(library: Library) -> None:
    """Delivered, known, heard, missed, held, released and reported there; its folder here keeps nothing of it."""
    manifest, ours = library.manifest, {f"water/{name}" for name in TARGET}
    ran = library.run("run", manifest, "--json")
    assert ran.code == 0, ran.err
    video = f"s3://dub/{library.prefix}/water/lesson.es.mp4"
    assert ran.json["targets"][0]["output"] == video
    first = library.there()
    assert {name for name in first if ".hls/" not in name} == ours
    assert "water/lesson.hls/master.m3u8" in first
    record = library.record("water/lesson.es.dub.json")
    assert (record["source"]["path"], record["output"]["path"]) == ("lesson.mp4", "lesson.es.mp4")
    assert not (library.folder / "out").exists()
    assert not [path for path in (library.folder / ".dub/outputs").rglob("*") if path.is_file()]
    assert library.run("status", manifest, "--json").json["targets"][0]["output"] == video

    assert library.run("run", manifest).code == 0
    assert library.there() == first
    told = library.run("verify", video, "--json")
    assert (told.code, told.json["verdict"]) == (0, "authentic")
    none = library.run("verify", f"{video}.none")
    assert (none.code, none.err) == (
        2,
        f"dub: there is no file {video}.none. `dub status` names a course's finished files.\n",
    )

    library.client.delete_object(Bucket="dub", Key=f"{library.prefix}/water/lesson.es.srt")
    library.client.put_object(Bucket="dub", Key=f"{library.prefix}/water/lesson.es.mp4", Body=b"somebody else's")
    planned = library.run("plan", manifest, "--json").json["targets"][0]["stages"]
    assert [name for name, stage in planned.items() if stage["state"] == "run"] == ["remux", "verify"]
    assert library.run("run", manifest).code == 0
    mended = library.there()
    assert set(mended) == set(first)
    assert {name for name in first if mended[name] != first[name]} == ours

    library.written("quality: {loudness: 0}")
    held = library.run("run", manifest, "--json")
    assert (held.code, held.json["targets"][0]["state"]) == (4, "review"), held.err
    waiting = library.there()
    assert {name for name in waiting if not name.startswith("withdrawn/")} == {f"review/{name}" for name in ours}
    assert waiting["review/water/lesson.es.mp4"].split()[0] == mended["water/lesson.es.mp4"].split()[0]
    assert "withdrawn/water/lesson.hls/master.m3u8" in waiting
    shutil.rmtree(library.folder / ".dub/outputs", ignore_errors=True)  # of another worker, or a new machine
    released = library.run("approve", manifest, "lesson:es", "--by", "mireia", "--json")
    assert (released.code, released.json["targets"][0]["output"]) == (0, video), released.err
    assert {name for name in library.there() if not name.startswith("withdrawn/")} == ours
    assert library.record("water/lesson.es.dub.json")["approved"]["by"] == "mireia"

    reported = library.run("report", manifest, "--json")
    assert (reported.code, reported.json["report"]) == (0, f"s3://dub/{library.prefix}/water/report.html")
    page = library.client.get_object(Bucket="dub", Key=f"{library.prefix}/water/report.html")["Body"].read().decode()
    assert 'href="lesson.es.mp4"' in page
    assert "data:audio/" in page
    assert str(library.folder) not in page.replace(f"for the folder {library.folder}", "")
    assert library.run("gc", manifest).code == 0
    assert library.run("plan", manifest, "--json").json["targets"][0]["stages"]["verify"]["state"] == "cached"
