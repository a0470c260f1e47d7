"""`dub report`, read as its readers do: the JSON by a program, the page by a real Chromium without a network."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flows.cli import main
from manifests.record import Record
from manifests.store import Store, file_sha256
from manifests.target_row import TargetRow
from manifests.workspace import Workspace
from voiceclone.erasure import outputs_of

CHROMIUM = shutil.which("chromium")

LINE_S = 2.0


def line(number: int, **differs: Any) -> dict[str, Any]:
    """One line of a record, spoken in its own time; two seconds after the one before."""
    start = LINE_S * (number - 1) + 0.25
    facts: dict[str, Any] = {
        "id": str(number),
        "speaker": "SPEAKER_00",
        "source": {"start": start, "end": start + 1.5, "text": f"Sentence {number}.", "confidence": 0.95},
        "text": {"value": f"Frase {number}.", "origin": "machine", "checks": []},
        "voice": {"kind": "stock", "engine": "espeak-ng", "name": "es+f2", "reason": "no person is named"},
        "take": {"default_seconds": 1.5, "engine_rate": 1.0, "natural_seconds": 1.5},
        "placed": {"start": start, "end": start + 1.5, "rate": 1.0},
        "flags": [],
    }
    return facts | differs


def spoken_at(rate: float, number: int) -> dict[str, Any]:
    start = LINE_S * (number - 1) + 0.25
    return {"placed": {"start": start, "end": start + 1.5 / rate, "rate": rate}}


class Course:
    """A course in a folder whose targets are put into any state, with real media and without a run."""

    def __init__(self, folder: Path, source: Path, dubbed: Path, *, name: str = "water", more: str = "") -> None:
        self.folder, self.name = folder, name
        self.source, self.dubbed = source, dubbed
        self.media = folder / "media"
        self.media.mkdir(parents=True)
        self.manifest = folder / "course.yaml"
        self.more = more
        self.lessons: list[str] = []
        self.out = folder / "out" / name
        self.workspace = Workspace.open(folder / ".dub")

    def lesson(self, name: str) -> None:
        (self.media / f"{name}.mp4").hardlink_to(self.source)
        self.lessons.append(name)
        listed = "".join(f"  - media: {json.dumps(f'media/{each}.mp4')}\n" for each in self.lessons)
        head = f"course: {json.dumps(self.name)}\ntargets: [es, ca]\n{self.more}"
        self.manifest.write_text(f"{head}lessons:\n{listed}", encoding="utf-8")

    def row(self, lesson: str, language: str, state: Any, **more: Any) -> None:
        self.workspace.ledger.record(TargetRow(self.name, lesson, language, state, **more))

    def made(self, lesson: str, language: str, state: Any, lines: list[dict[str, Any]], **more: Any) -> Path:
        """A target with its output and record, and its row in the ledger."""
        out = self.folder / "out/review" / self.name if state == "review" else self.out
        out.mkdir(parents=True, exist_ok=True)
        output = out / f"{lesson}.{language}.mp4"
        output.hardlink_to(self.dubbed)
        output.with_suffix(".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\n-\n")
        source = {"path": f"../../media/{lesson}.mp4", "sha256": "0" * 64, "duration": 12.0}
        timing = {"overlap_s": 0, "cut_s": 0, "max_rate": 1.0, "p95_rate": 1.0, "rate_compliance": 1, "smoothness": 1}
        timing |= dict.fromkeys(("onset_p50", "onset_p95", "drift_s_per_h", "speech_overlap"))
        told = {"watermark_score": 0.9, "content_credentials": "valid", "container_tag": True, "spoken": False}
        stages = {"split": {"state": "done", "seconds": 2.0, "cached": False}}
        stages["mix"] = {"state": "done", "seconds": 4.0, "cached": False}
        record = {
            "schema": 1, "course": self.name, "lesson": lesson, "language": language, "state": state,
            "source": source, "output": {"path": output.name, "sha256": "0" * 64, "duration": 12.0, "streams": []},
            "lines": lines, "timing": timing, "loudness": {"integrated_lufs": -16.0, "true_peak_dbtp": -1.5},
            "disclosure": told | {"shown": True}, "engines": {}, "stages": stages,
        } | more  # fmt: skip
        path = out / f"{lesson}.{language}.dub.json"
        path.write_text(Record.model_validate(record).text(), encoding="utf-8")
        problems = record.get("problems", [])
        self.row(lesson, language, state, output=str(output), problems=problems, stages=stages)
        return output


@pytest.fixture(scope="session")
def dubbed(lecture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lecture as a finished file is: the original, and a second track as the dub in Spanish and, alas, Catalan."""
    path = tmp_path_factory.mktemp("dubbed") / "finished.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(lecture.path), "-map", "0:v", "-map", "0:a", "-map", "0:a"]
    command += ["-c", "copy", "-metadata:s:a:1", "language=spa"]
    command += ["-disposition:a:0", "0", "-disposition:a:1", "default", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.fixture
def course(tmp_path: Path, lecture, dubbed: Path) -> Callable[..., Course]:
    def made(**more: Any) -> Course:
        return Course(tmp_path / "a course", lecture.path, dubbed, **more)

    return made


Report = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Report:
    """Runs `dub report … --json` in the course's folder: exit code, what it printed, what it said."""

    def dub(course: Course, *arguments: object) -> tuple[int, Any, str]:
        monkeypatch.chdir(course.folder)
        monkeypatch.setattr(sys, "argv", ["dub", "report", "course.yaml", "--json", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code if isinstance(ended.value.code, int) else 0
        return code, json.loads(out) if out else None, err

    return dub


MISSING = {"line": "2", "stage": "place", "message": "does not fit: it lacks 0.40 s at 1.40x. A shorter text would."}


@pytest.fixture
def troubled(course: Callable[..., Course]) -> Course:
    return in_trouble(course())


@pytest.fixture(scope="module")
def night(lecture, dubbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The same with its report, for everybody who only reads that."""
    made = in_trouble(Course(tmp_path_factory.mktemp("night") / "a course", lecture.path, dubbed))
    command = [str(Path(sys.executable).with_name("dub")), "report", "course.yaml"]
    subprocess.run(command, cwd=made.folder, check=True, capture_output=True, timeout=400)
    return made


def in_trouble(made: Course) -> Course:
    """Three lessons in two languages, a target in every state."""
    for name in ("one", "two", "three"):
        made.lesson(name)
    lines = [
        line(1, text={"value": "Frase 1.", "origin": "machine", "checks": ["unknown word: muro"]}),
        {name: value for name, value in line(2).items() if name != "placed"},
        line(3, **spoken_at(1.31, 3), flags=["fast 1.31x"]),
        line(4, flags=["late 0.80 s"]),
        line(5, source={"start": 8.25, "end": 9.75, "text": "Mumble.", "confidence": 0.41}),
    ]
    made.made("one", "es", "partial", lines, problems=[MISSING])
    made.made("one", "ca", "done", [line(1), line(2)])
    gate = {"gate": "loudness", "stage": "verify", "message": "-20.0 LUFS, 4.0 LU from the -16.0 aimed at."}
    made.made("two", "es", "review", [line(1)], problems=[gate])
    made.row("two", "ca", "blocked", stage="clone", message="amara's consent ended.", problems=[])
    made.row("three", "es", "failed", stage="split", message="three.mp4 is damaged.", problems=[])
    return made


def test_the_summary_says_where_every_target_stands_and_what_to_type(troubled: Course, report: Report) -> None:
    """Every state, the lines that want a human in order of urgency, and the exact commands."""
    code, told, _ = report(troubled)
    assert code == 0
    states = {f"{each['lesson']}:{each['language']}": each["state"] for each in told["targets"]}
    assert states == {
        "one:es": "partial", "one:ca": "done", "two:es": "review",
        "two:ca": "blocked", "three:es": "failed", "three:ca": "new",
    }  # fmt: skip
    assert Path(told["report"]) == troubled.out / "report.html"
    assert [(each["id"], each["kind"]) for each in told["lines"]] == [
        ("2", "missing"), ("4", "flagged"), ("3", "over soft max"), ("5", "low confidence"), ("1", "check"),
    ]  # fmt: skip
    assert "lacks 0.40 s" in told["lines"][0]["why"]
    assert [each["command"] for each in told["next"]] == [
        "dub rerun course.yaml --failed",
        "dub script export course.yaml one:es one.es.csv",
        "dub approve course.yaml two:es",
        "dub run course.yaml",
    ]
    assert told["next"][0]["why"].startswith("1 failed (three:es); 1 blocked (two:ca).")


def test_a_course_that_never_ran_has_a_report(course: Callable[..., Course], report: Report) -> None:
    """It says that nothing ran, and what to type; the folder for it is made."""
    made = course()
    made.lesson("one")
    code, told, _ = report(made)
    assert code == 0
    assert [each["command"] for each in told["next"]] == ["dub run course.yaml"]
    assert "2 targets are still to be made" in (made.out / "report.html").read_text()


def test_a_report_survives_what_is_missing_or_broken(course: Callable[..., Course], report: Report) -> None:
    """A record that cannot be read, an output and a source that are gone: each is said, the report is written."""
    made = course()
    for name in ("one", "two"):
        made.lesson(name)
    made.made("one", "es", "done", [line(1)]).unlink()
    (made.media / "one.mp4").unlink()
    output = made.made("two", "es", "done", [line(1)])
    output.with_name("two.es.dub.json").write_text("{")
    assert report(made)[0] == 0
    page = (made.out / "report.html").read_text()
    assert "the finished file is gone" in page
    assert "one.mp4 does not exist" in page or "one.mp4" in page
    assert "the record two.es.dub.json cannot be read" in page


def test_a_lost_workspace_leaves_what_the_records_say(troubled: Course, report: Report) -> None:
    """The states of what was delivered are read from the records beside it."""
    shutil.rmtree(troubled.folder / ".dub")
    told = report(troubled)[1]
    states = {f"{each['lesson']}:{each['language']}": each["state"] for each in told["targets"]}
    assert (states["one:es"], states["one:ca"], states["two:es"]) == ("partial", "done", "review")
    assert (states["two:ca"], states["three:es"]) == ("new", "new")


def test_only_so_much_sound_is_inside_however_long_a_lesson_is(course: Callable[..., Course], report: Report) -> None:
    """300 lines: 120 are shown, those that want a human among them; the others play from the file beside."""
    made = course()
    made.lesson("long")
    lines = [line(number) | {"placed": line(1)["placed"], "source": line(1)["source"]} for number in range(1, 301)]
    lines[249]["flags"] = ["late 0.80 s"]
    made.made("long", "es", "done", lines)
    assert report(made)[0] == 0
    page = (made.out / "report.html").read_text()
    assert page.count("<audio") == 240
    assert page.count('src="data:audio/mp4') == 8
    assert 'src="long.es.mp4#t=0.250,1.750"' in page
    assert "180 further lines are in the record" in page
    assert "line 250" in page
    assert len(page) < 500_000


def test_a_report_elsewhere_finds_its_files(troubled: Course, report: Report, tmp_path: Path) -> None:
    """Links are relative to where the report lies, and blanks in names do not break them."""
    target = tmp_path / "elsewhere/morning.html"
    told = report(troubled, "--out", target, "--only", "one:ca")[1]
    assert told["report"] == str(target)
    assert [each["lesson"] for each in told["targets"]] == ["one"]
    assert 'href="../a%20course/out/water/one.ca.mp4"' in target.read_text()


def test_a_revocation_names_a_report_in_which_the_voice_is_heard(course: Callable[..., Course], report: Report) -> None:
    """Clips of a cloned voice are a use of it: the store knows, until a report without them takes its place."""
    made = course()
    made.lesson("one")
    voice = {"kind": "clone", "engine": "world", "name": "amara", "person": "amara", "consent": "amara-2026"}
    made.made("one", "es", "done", [line(1, voice=voice | {"similarity": 0.71})])
    assert report(made)[0] == 0
    target = made.out / "report.html"
    store = Store(made.folder / ".dub/store")
    assert [(each.path, each.sha256) for each in outputs_of(store, "amara")] == [(target, file_sha256(target))]
    page = target.read_text()
    assert "The voices of amara are heard inside this file" in page
    assert "0.71" in page
    (made.out / "one.es.dub.json").unlink()
    assert report(made)[0] == 0
    assert outputs_of(store, "amara") == ()


def test_a_report_loads_neither_prefect_nor_torch(troubled: Course) -> None:
    """It is asked for in the morning, on any machine."""
    code = (
        "import sys; sys.argv = ['dub', 'report', 'course.yaml']\n"
        "from flows.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'prefect', 'torch'} & sys.modules.keys()))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=troubled.folder, capture_output=True, text=True, timeout=400, check=True
    )
    assert ran.stdout.splitlines()[-1] == "[]"


FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
FLAGS += ("--disable-sync", "--no-first-run")


class Reader:
    """A page in Chromium, and everything that it complained of or asked for."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)

    def visible(self, selector: str) -> list[str]:
        return [each.inner_text() for each in self.page.locator(f"{selector}:visible").all()]

    def until(self, true: str, within_s: float = 20) -> None:
        """Wait until an expression is true; the page's own policy forbids Playwright's way."""
        limit = time.monotonic() + within_s
        while not self.page.evaluate(true):
            assert time.monotonic() < limit, f"never: {true}"
            self.page.wait_for_timeout(20)

    def heard(self, sound: str, past: float = 0.2) -> float:
        """Seconds that an audio element has got to, once it is past some."""
        self.until(f"document.getElementById({json.dumps(sound)}).currentTime > {past}")
        return self.page.evaluate("id => document.getElementById(id).currentTime", sound)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium here: `infra/bootstrap.sh --tests` installs Debian's")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


Open = Callable[..., Reader]


@pytest.fixture
def opened(browser: Any, night: Course) -> Iterator[Open]:
    """The report of the troubled course in a browser of a width and colour scheme, with no network at all."""
    contexts: list[Any] = []

    def look(width: int = 1280, scheme: str = "light", course: Course = night) -> Reader:
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True)
        contexts.append(context)
        return Reader(context.new_page(), (course.out / "report.html").as_uri())

    yield look
    for context in contexts:
        context.close()


CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || ["STYLE", "SCRIPT", "OPTION"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const [one, two] = [light(channels(element.ownerSVGElement ? style.fill : style.color)), light(ground(element))];
    const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (contrast < 4.5) low.push(`${element.tagName} ${element.className} ${element.textContent.trim()} ${contrast}`);
  }
  return low;
}"""
"""Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, level AA)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_readable_on_a_phone_and_a_desk_by_day_and_night(opened: Open, width: int, scheme: str) -> None:
    """Nothing is wider than the screen, every text has contrast, nothing is complained of, nothing is asked for."""
    reader = opened(width, scheme)
    assert reader.page.evaluate("document.documentElement.scrollWidth") == width
    reader.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert reader.page.evaluate(CONTRASTS) == []
    assert reader.said == []
    assert [address.rpartition("/")[2] for address in reader.asked] == ["report.html"]
    levels = reader.page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((each) => +each.tagName[1])")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    unnamed = "[...document.querySelectorAll('svg[role=img], button, select, input, audio')].filter((each) =>"
    unnamed += " !(each.ariaLabel || each.textContent.trim() || each.labels?.length)).length"
    assert reader.page.evaluate(unnamed) == 0
    assert reader.page.evaluate("document.querySelectorAll('svg:not([role=img])').length") == 0


SILENT = "document.querySelectorAll('[aria-pressed=true].play').length === 0"


def test_a_line_is_heard_from_inside_the_page(opened: Open) -> None:
    """By mouse and by keyboard; one sound at a time; it stops at its end."""
    reader = opened(390)
    source, dub = (reader.page.locator(f"#lines button[data-sound$=-{which}]").nth(1) for which in ("source", "dub"))
    source.click()
    sound = source.get_attribute("data-sound")
    assert 0.2 < reader.heard(sound) <= 1.6
    assert source.get_attribute("aria-pressed") == "true"
    dub.focus()
    reader.page.keyboard.press("Enter")
    assert reader.heard(dub.get_attribute("data-sound")) > 0.2
    assert source.get_attribute("aria-pressed") == "false"
    reader.until(SILENT)
    assert reader.page.evaluate("id => document.getElementById(id).duration", sound) == pytest.approx(1.5, abs=0.1)
    assert reader.said == []


def test_a_line_without_its_sound_inside_plays_from_the_file_beside(
    opened: Open, report: Report, night: Course, tmp_path: Path
) -> None:
    """From its start to its end, the finished video's own sound."""
    many = Course(tmp_path / "many", night.source, night.dubbed, name="many lines & more")
    many.lesson("long")
    many.made("long", "es", "done", [line(number) for number in range(1, 6)])
    assert report(many)[0] == 0
    reader = opened(course=many)
    reader.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    button = reader.page.locator("#detail button[data-sound$='-5-dub']")
    sound = button.get_attribute("data-sound")
    assert reader.page.locator(f"#{sound}").get_attribute("src") == "long.es.mp4#t=8.250,9.750"
    button.click()
    assert reader.heard(sound, past=8.4) < 10
    reader.until(SILENT)
    assert reader.page.evaluate("id => document.getElementById(id).currentTime", sound) < 10.3
    assert reader.said == []


def test_what_is_shown_can_be_filtered(opened: Open) -> None:
    """By state, by language and by words, in lines, targets and details at once."""
    reader = opened()
    page, rows = reader.page, "tr[data-target] th"
    assert reader.visible(rows) == ["one", "one", "two", "two", "three", "three"]
    page.locator("[data-chip=failed]").click()
    page.locator("[data-chip=blocked]").click()
    assert reader.visible(rows) == ["two", "three"]
    assert page.locator("#shown").inner_text() == "2 of 6 targets"
    assert page.locator("#lines li:visible").count() == 0
    page.locator("#language").select_option("ca")
    assert reader.visible(rows) == ["two"]
    page.locator("[data-chip=failed]").click()
    page.locator("[data-chip=blocked]").click()
    page.locator("#language").select_option("")
    page.locator("#text").fill("mumble")
    assert page.locator("#lines li:visible").count() == 1
    page.locator("#text").fill("AMARA ended")
    assert reader.visible(rows) == ["two"]
    assert reader.said == []


def test_a_link_to_a_line_opens_its_target(opened: Open) -> None:
    """From the list of lines into what was folded."""
    reader = opened()
    assert reader.page.locator("details[open]").count() == 1
    reader.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = false; })")
    reader.page.get_by_role("link", name="one:es, line 4").click()
    reader.until("document.querySelectorAll('details[open]').length === 1")


def test_names_and_texts_are_text_whatever_is_in_them(
    browser: Any, course: Callable[..., Course], report: Report
) -> None:
    """Markup in the names of course, lesson and person, in a line and in a message is shown, and does nothing."""
    evil = "<img src=x onerror=alert(1)>"
    made = course(name="<script>alert(2)<|script>")
    made.lesson('a "quoted" <b>lesson<b>')
    [name] = made.lessons
    said = {"start": 0.25, "end": 1.75, "text": f"</script>{evil}", "confidence": 0.9}
    voice = {"kind": "clone", "engine": "e", "name": evil, "person": evil, "consent": evil}
    made.made(name, "es", "done", [line(1, source=said, flags=[evil, "{{ 7 * 7 }}"], voice=voice)], notes=[evil])
    made.row(name, "ca", "failed", stage="mix", message=f"{evil} broke.", problems=[])
    assert report(made)[0] == 0
    context = browser.new_context(offline=True)
    reader = Reader(context.new_page(), (made.out / "report.html").as_uri())
    assert reader.page.locator("h1").inner_text() == "<script>alert(2)<|script>"
    assert reader.page.locator("img, b > b").count() == 0
    assert f"{evil} broke." in reader.page.locator("tr[data-state=failed]").inner_text()
    assert "{{ 7 * 7 }}" in reader.page.locator("#lines").inner_text()
    assert reader.said == []
    assert reader.page.evaluate("fetch(document.querySelector('.files a').href).then(() => 1, () => 2)") == 2
    context.close()
