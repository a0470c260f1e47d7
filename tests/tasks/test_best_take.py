"""Several takes of a line by an engine that draws: which one is kept, and what the record says of it.

The engine is a real speech server on loopback, whose tone is as long as its seed says.
"""

from __future__ import annotations

import io
import itertools
import json
import threading
from collections.abc import Generator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile

from courses import job
from manifests.errors import EngineUnavailable, InputError
from manifests.model import Job
from manifests.script import Casting, Line, Lines, Script, Utterance, Voice
from manifests.spans import RATE, Span, samples
from manifests.timeline import Take
from tasks import best_take, synthesize
from tasks.engines.protocols import Hearing, Voicing
from tasks.speaking import How
from tasks.stage import Workbench
from tasks.synthesize import Params
from tiny.services import Loopback, wav
from tiny.speech import voice_of

VOICE = Voice("stock", "http", "alloy", reason="no person is named for SPEAKER_00")


@pytest.fixture
def seeds() -> list[int]:
    """What the server was asked for."""
    return []


@pytest.fixture
def address(seeds: list[int]) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seeds.append(asked["seed"])
            length = 24_000 + asked["seed"] % 5 * 12_000
            sound = io.BytesIO()
            tone = 0.3 * np.sin(np.arange(length) * 2 * np.pi * 220 / 24_000)
            soundfile.write(sound, tone, 24_000, format="WAV", subtype="PCM_16")
            self.send_response(200)
            self.send_header("content-type", "audio/wav")
            self.end_headers()
            self.wfile.write(sound.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def said(address: str, bench: Workbench, *, takes: int = 1, refine: dict[str, float] | None = None) -> Take:
    """The take of one line that has two seconds and room after it."""
    utterance = Utterance("1", "SPEAKER_00", Span.of_seconds(1, 3), "two seconds of speech", (), 0.9)
    how = How(
        "es", Voicing("es", "http", None, {"address": address, "takes": takes}), lines={"1": refine} if refine else {}
    )
    casting = Casting("es", {"SPEAKER_00": VOICE})
    lines = Lines("es", (Line("1", "Dos segundos de <em>voz</em>."),))
    _, made = synthesize.synthesize(lines, Script("en", (utterance,)), casting, samples(60), Params(how), bench)
    [take] = made.takes
    return take


def test_one_take_is_made_unless_more_are_asked_for(address: str, bench: Workbench, seeds: list[int]) -> None:
    """Its seed is in the record; made once, it is found again."""
    take = said(address, bench)
    assert seeds == [take.voice.seed]
    assert take.voice == replace(VOICE, seed=seeds[0]) and take.choice is None
    assert said(address, bench) == take
    assert len(seeds) == 1


def test_of_several_takes_the_one_that_lasts_as_its_source_is_kept_and_why_is_said(
    address: str, bench: Workbench, seeds: list[int]
) -> None:
    """Nobody here understands Spanish, and a stock voice is like nobody, so the length decides; what was not judged is
    said too."""
    take = said(address, bench, takes=4)
    lengths = [1.0 + seed % 5 * 0.5 for seed in seeds]
    best = min(lengths, key=lambda length: abs(np.log(length / 2.0)))
    assert len(set(seeds)) == 4
    assert take.length / RATE == pytest.approx(best, abs=0.05)
    assert take.voice.seed in seeds and take.choice is not None
    assert take.choice.startswith("take ") and " of 4: seconds " in take.choice
    assert take.choice.endswith("for 2.00; nobody here understands the language, so the words were not heard")


def test_a_line_that_is_said_again_gets_another_seed(address: str, bench: Workbench, seeds: list[int]) -> None:
    """`dub rerun --lines` would otherwise give the very same take."""
    first = said(address, bench)
    again = said(address, replace(bench, redo=frozenset({"1"})))
    assert first.voice.seed is not None and again.voice.seed == first.voice.seed + 1
    assert said(address, bench) == again


def test_what_an_engine_does_not_obey_is_left_to_the_stretch_and_told(address: str, bench: Workbench) -> None:
    """A pace and a pitch are beyond it; the take is at its only rate."""
    take = said(address, bench, refine={"pace": 1.2, "pitch": 2.0, "energy": 1.0})
    assert (take.beyond, take.engine_rate, take.energy) == (("pace", "pitch"), 1.0, 1.0)


@pytest.mark.slow
def test_the_take_whose_words_are_heard_is_kept(bench: Workbench) -> None:
    """Of four takes of one length one says its text, and a recognizer hears it: only its words tell it from others."""
    right: list[int] = []
    asked_for = itertools.count()
    lock = threading.Lock()

    def answer(_method: str, _path: str, body: bytes) -> tuple[int, str, bytes]:
        with lock:
            asked = json.loads(body)
            good = next(asked_for) == 2
            right.extend([asked["seed"]] if good else [])
            words = asked["input"] if good else "yellow monkeys often buy an old umbrella"
            return 200, "audio/wav", wav(voice_of(bench.scratch, "slt", words)[: 2 * 16_000], 16_000)

    server = Loopback(answer)
    options = {"address": server.address, "takes": 4}
    how = How("en", Voicing("en", "http", None, options, hearing=Hearing("en", "pocketsphinx")))
    utterance = Utterance("1", "SPEAKER_00", Span.of_seconds(1, 3), "dos segundos", (), 0.9)
    lines = Lines("en", (Line("1", "The water of the sea is warm today."),))
    casting = Casting("en", {"SPEAKER_00": VOICE})
    script = Script("es", (utterance,))
    try:
        _, made = synthesize.synthesize(lines, script, casting, samples(60), Params(how), bench)
    finally:
        server.close()
    [take] = made.takes
    assert [take.voice.seed] == right and len(server.asked) == 4
    assert take.choice is not None and "words wrong" in take.choice and "nobody here" not in take.choice


def test_words_that_are_heard_wrong_count_more_than_length() -> None:
    """Words, whatever their case and signs; in Chinese signs, for it writes no spaces."""
    assert best_take.word_errors("Hola, ¿qué tal?", "hola qué tal") == 0.0
    assert best_take.word_errors("uno dos tres cuatro", "uno tres cuatro cinco") == 0.5
    assert best_take.word_errors("清晨 雾气", "清晨雾") == 0.25


def test_a_number_of_takes_that_cannot_be_is_refused() -> None:
    """Nought, many, true, or a word."""
    for wrong in (0, 9, True, "three"):
        with pytest.raises(InputError, match="`takes` of the engine http is"):
            best_take.number(Voicing("es", "http", None, {"takes": wrong}))


def test_an_engine_whose_terms_forbid_it_is_refused_for_a_course_that_is_sold(tmp_path: Path, address: str) -> None:
    """Only the operator knows a server's terms, so they must say that selling is allowed."""

    def sold(**options: object) -> Job:
        engine = {"name": "http", "options": {"address": address, **options}}
        return job(tmp_path, commercial=True, engines={"synthesize": engine})

    with pytest.raises(EngineUnavailable, match="`commercial: true`, and the engine http may not be used for that"):
        synthesize.STAGE.check(sold())
    synthesize.STAGE.check(sold(commercial=True))
