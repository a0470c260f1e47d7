"""Speech servers and vendors, each a real server on loopback that speaks its documented API: what is sent, to whom it
may be sent, what becomes of it afterwards, and what is said of answers that are no speech."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable, Generator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from flows.revoking import _elsewhere as deleted_elsewhere
from manifests.errors import ConsentRefused, DubError, EngineUnavailable, InputError, StageFailed
from manifests.script import Speaker, Voice
from tasks.engines import catalogue, learned
from tasks.engines.protocols import Voicing
from tasks.engines.speech_server import outsider
from tasks.reference import Reference
from tasks.stage import Workbench
from tiny.services import VENDORS, Answer, Loopback, wav
from voiceclone import remote_voices
from voiceclone.application import Application
from voiceclone.cloner.clips import Clip
from voiceclone.grant import Grant
from voiceclone.registry import Registry
from voiceclone.saying import Said, Saying


@pytest.fixture
def serve() -> Generator[Callable[[Callable[[str, str, bytes], Answer]], Loopback]]:
    servers: list[Loopback] = []

    def started(answer: Callable[[str, str, bytes], Answer]) -> Loopback:
        servers.append(Loopback(answer))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


Serve = Callable[[Callable[[str, str, bytes], Answer]], Loopback]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Amara agreed to Spanish, and lets ElevenLabs and MiniMax have her voice; Ben agreed for these machines alone."""
    registry = Registry(tmp_path / "consent", tmp_path / "keys")
    registry.init()
    (tmp_path / "agreement.pdf").write_bytes(b"agreed")
    for person, parties in (("amara", ("elevenlabs", "minimax")), ("ben", ())):
        registry.add(
            Application(
                id=f"{person}-2026",
                person=person,
                languages=("es",),
                purposes=("training_video",),
                courses=("biology",),
                document=tmp_path / "agreement.pdf",
                expires=date(2030, 1, 1),
                third_parties=parties,
            )
        )
    return registry


def granted(registry: Registry, person: str = "amara", third_party: str | None = None) -> Grant:
    return registry.grant(
        consent=f"{person}-2026",
        person=person,
        language="es",
        course="biology",
        purpose="training_video",
        commercial=False,
        third_party=third_party,
    )


def known(person: str = "amara", length_s: int = 12) -> Reference:
    """Some seconds of somebody, and their text."""
    rng = np.random.default_rng(1)
    clip = Clip(rng.normal(0, 0.1, length_s * 24_000).astype(np.float32), 24_000, "What she says there.")
    return Reference(person, "en", lambda: [clip], lambda: np.ones(256, np.float32) / 16)


def learn(wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench) -> Voice:
    engine = catalogue.synthesizer(wanted.engine)
    name, use = engine.learn(known(grant.person), wanted, grant, registry, bench)
    return Voice("clone", engine.name, name, grant.person, grant.consent, use=use)


def spoken(
    wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench, *texts: str, voice: Voice | None = None
) -> list[Said]:
    engine = catalogue.synthesizer(wanted.engine)
    voice = voice or learn(wanted, grant, registry, bench)
    sayings = [Saying(text, seed=7, line=str(at)) for at, text in enumerate(texts, 1)]
    with engine.speaker(voice, wanted, registry, bench) as cloner:
        return list(cloner.synthesize(grant, sayings, person=grant.person, language="es"))


def http(server: Loopback, **options: Any) -> Voicing:
    return Voicing("es", "http", "tts-1", {"address": server.address, "pause": 0.01, "timeout": 5.0} | options)


def stock(wanted: Voicing) -> list[Said | None]:
    engine = catalogue.synthesizer("http")
    voice = Voice("stock", "http", "alloy")
    return list(engine.speak([Saying("Hola.", line="4")], voice, wanted, cores=1))


# The speech API.


@pytest.mark.parametrize("dialect", ["vllm-omni", "sglang-omni"])
def test_a_sample_goes_inline_and_the_words_of_the_line_too(
    serve: Serve, registry: Registry, bench: Workbench, dialect: str
) -> None:
    """Base64 of the very sample, its text, the language by name, the seed; never an address or a path."""
    server = serve(lambda *_: (200, "audio/wav", wav()))
    [said] = spoken(http(server, dialect=dialect), granted(registry), registry, bench, "Hola.")
    assert (said.rate, len(said.audio)) == (24_000, 24_000)
    [(method, path, body)] = server.asked
    asked = json.loads(body)
    assert (method, path) == ("POST", "/v1/audio/speech")
    assert {"input": "Hola.", "language": "Spanish", "seed": 7, "model": "tts-1"}.items() <= asked.items()
    head, _, sample = asked["ref_audio"].partition(",")
    assert head == "data:audio/wav;base64"
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(sample)))
    assert (rate, len(sound), asked["ref_text"]) == (24_000, 12 * 24_000, "What she says there.")


def test_the_openai_dialect_has_voices_of_its_own_and_takes_nobodys(
    serve: Serve, registry: Registry, bench: Workbench
) -> None:
    """A preset by name for each speaker in turn; a person's voice is refused."""
    server = serve(lambda *_: (200, "audio/wav", wav()))
    wanted = http(server, dialect="openai", voice="alloy, echo")
    engine = catalogue.synthesizer("http")
    speakers = [Speaker(f"SPEAKER_{at:02}", 120.0, 10.0) for at in range(3)]
    cast = engine.cast(speakers, dict.fromkeys((each.label for each in speakers), ""), wanted)
    assert [voice.name for voice in cast.values()] == ["alloy", "echo", "alloy"]
    assert [said.rate for said in stock(wanted) if said] == [24_000]
    assert json.loads(server.asked[0][2]) == {
        "input": "Hola.",
        "response_format": "wav",
        "model": "tts-1",
        "voice": "alloy",
    }
    with pytest.raises(InputError, match="take no sample"):
        learn(wanted, granted(registry), registry, bench)


class Uploads:
    """A server that keeps voices, and, where it is `stubborn`, does not let go of them."""

    def __init__(self, stubborn: bool = False) -> None:
        self.voices: list[str] = []
        self.stubborn = stubborn

    def __call__(self, method: str, path: str, body: bytes) -> Answer:
        if path == "/v1/audio/voices" and method == "POST":
            name = body.split(b'name="name"')[1].split(b"\r\n")[2].decode()
            assert b"amara-2026" in body
            self.voices.append(name)
            return 200, "application/json", b"{}"
        if path == "/v1/audio/voices":
            said = {"voices": ["alloy"], "uploaded_voices": [{"name": name} for name in self.voices]}
            return 200, "application/json", json.dumps(said).encode()
        if method == "DELETE":
            if not self.stubborn:
                self.voices.remove(path.rpartition("/")[2])
            return 200, "application/json", b"{}"
        return 200, "audio/wav", wav()


def test_an_uploaded_voice_is_gone_afterwards(serve: Serve, registry: Registry, bench: Workbench) -> None:
    """Uploaded within a grant, used by name, deleted when the lines are said, and looked for again."""
    service = Uploads()
    server = serve(service)
    assert len(spoken(http(server, uploads=True), granted(registry), registry, bench, "Uno.", "Dos.")) == 2
    assert service.voices == []
    assert remote_voices.standing(registry.root) == ()
    assert [method for method, _, _ in server.asked] == ["POST", "POST", "POST", "DELETE", "GET"]


def test_a_server_that_keeps_a_deleted_voice_is_told_and_remembered(
    serve: Serve, registry: Registry, bench: Workbench
) -> None:
    """It says so, and a revocation tries again."""
    service = Uploads(stubborn=True)
    wanted = http(serve(service), uploads=True)
    with pytest.raises(StageFailed, match="still has the voice"):
        spoken(wanted, granted(registry), registry, bench, "Uno.")
    [left] = remote_voices.standing(registry.root, "amara")
    assert service.voices == [left.voice]
    assert "still has the voice" in deleted_elsewhere(registry, "amara")[0]
    service.stubborn = False
    assert deleted_elsewhere(registry, "amara") == []
    assert (service.voices, remote_voices.standing(registry.root)) == ([], ())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, "text/html", b"<!doctype html><p>Sign in"), "a web page, not with sound"),
        ((200, "audio/wav", b""), "nothing, not with sound"),
        ((200, "application/json", b'{"error": "no"}'), "not with sound"),
        ((200, "audio/wav", wav(np.zeros(9_000, np.float32))), "silence"),
        ((200, "audio/wav", b"RIFF" + bytes(300)), "no sound that can be read"),
        ((200, "audio/wav", wav(rate=4_000)), "sound at 4000 samples a second"),
        ((200, "audio/wav", wav(rate=48_000)), "48000 samples a second, and the manifest says 24000"),
        ((500, "text/plain", b"broken"), "answered 500 with text/plain \\('broken'\\), 4 times"),
        ((404, "text/plain", b"no model"), "answered 404"),
    ],
)
def test_an_answer_that_is_no_speech_is_named_with_its_line(serve: Serve, answer: Answer, said: str) -> None:
    """What came instead, and for which line."""
    with pytest.raises(StageFailed, match=said) as told:
        stock(http(serve(lambda *_: answer), sample_rate=24_000))
    assert told.value.line == "4"


def test_a_server_that_hangs_is_given_up(serve: Serve) -> None:
    """After the limit of time, as often as is worth it."""
    with pytest.raises(StageFailed, match=r"did not answer within 0.2 s, 4 times"):
        stock(http(serve(lambda *_: (time.sleep(1), (200, "audio/wav", wav()))[1]), timeout=0.2))


def test_a_busy_server_is_asked_again(serve: Serve) -> None:
    """503 twice, then speech."""
    answers = iter([(503, "text/plain", b"busy")] * 2)
    [said] = stock(http(serve(lambda *_: next(answers, (200, "audio/wav", wav())))))
    assert said is not None and not said.silent


def test_a_wrong_key_is_the_operators_to_mend(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once; the key goes into a header and into no message."""
    monkeypatch.setenv("DUB_SPEECH_KEY", "very-secret")
    server = serve(lambda *_: (401, "application/json", b"{}"))
    with pytest.raises(EngineUnavailable, match="does not let us in") as told:
        stock(http(server))
    assert "very-secret" not in str(told.value)
    assert [headers["authorization"] for headers in server.headers] == ["Bearer very-secret"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs `address`"),
        ({"address": "http://a:b@host"}, "holds a password"),
        ({"address": "http://host", "dialect": "x"}, "no dialect"),
        ({"address": "http://host", "adress": 1}, "no option `adress`; did you mean `address`"),
        ({"address": "http://host", "takes": 0}, "`takes` of the engine http is 0"),
        ({"address": "http://host", "uploads": True, "dialect": "openai"}, "`uploads` is for"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], said: str) -> None:
    """By name, before anything is asked of a server."""
    with pytest.raises(InputError, match=said):
        catalogue.synthesizer("http").check(Voicing("es", "http", None, options))


def test_a_server_elsewhere_is_a_third_party() -> None:
    """This machine and a private network are the operator's own; any other host is somebody the consent must name."""
    assert [outsider(f"http://{host}:80") for host in ("127.0.0.1", "localhost", "10.1.2.3", "[::1]")] == [None] * 4
    assert outsider("https://api.example.com/x") == "api.example.com"


# Vendors.


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_speaks_keeps_the_voice_and_deletes_it_on_revocation(
    serve: Serve, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    """One voice for all batches; it is written down until the vendor no longer knows it."""
    kind, key = VENDORS[vendor]
    monkeypatch.setenv(key, "secret")
    service = kind()
    server = serve(service)
    wanted = Voicing("es", vendor, None, {"address": server.address, "pause": 0.01, "timeout": 5.0, "at_once": 1})
    grant = granted(registry, third_party=vendor)
    voice = learn(wanted, grant, registry, bench)
    for _ in range(2):
        said = spoken(wanted, grant, registry, bench, "Uno.", "Dos.", voice=voice)
        assert [(each.rate, each.silent) for each in said] == [(24_000, False)] * 2
    assert len(service.voices) == 1
    [left] = remote_voices.standing(registry.root, "amara")
    assert (left.engine, left.consent, left.sample) == (vendor, "amara-2026", voice.name)
    monkeypatch.delenv(key)
    assert key in deleted_elsewhere(registry, "amara")[0]
    monkeypatch.setenv(key, "secret")
    assert deleted_elsewhere(registry, "amara") == []
    assert (len(service.voices), remote_voices.standing(registry.root)) == (0, ())


def test_minimax_says_that_it_is_busy_with_status_200_and_is_asked_again(
    serve: Serve, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many questions a minute pass; a hiccup while a voice is made does not, for it may be there."""
    monkeypatch.setenv("MINIMAX_API_KEY", "secret")
    service, busy = VENDORS["minimax"][0](), [1002, 1013, 1041, 2045, 1039, 0]

    def answer(method: str, path: str, body: bytes) -> Answer:
        code = busy.pop(0) if path == "/v1/t2a_v2" and busy else 0
        if path == "/v1/voice_clone" and not busy:
            code = 1013
        if code:
            return 200, "application/json", json.dumps({"base_resp": {"status_code": code}}).encode()
        return service(method, path, body)

    server = serve(answer)
    wanted = Voicing("es", "minimax", None, {"address": server.address, "pause": 0.01, "at_once": 1})
    grant = granted(registry, third_party="minimax")
    voice = learn(wanted, grant, registry, bench)
    assert [said.rate for said in spoken(wanted, grant, registry, bench, "Uno.", voice=voice)] == [24_000]
    assert [path for _, path, _ in server.asked].count("/v1/t2a_v2") == 6
    assert deleted_elsewhere(registry, "amara") == []
    with pytest.raises(StageFailed, match="minimax refused /v1/voice_clone: 1013"):
        spoken(wanted, grant, registry, bench, "Uno.", voice=voice)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (2049, "does not let us in: as it says.*Look at its key"),
        (2056, "speaks no more on this account: as it says.*run again: what was said is kept"),
        (1026, "minimax refused /v1/t2a_v2: 1026 as it says.*Say it in other words"),
    ],
)
def test_minimax_that_will_not_is_not_asked_again(
    serve: Serve, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    """A key, an account or a text: each with what to do."""
    monkeypatch.setenv("MINIMAX_API_KEY", "secret")
    refusal = json.dumps({"base_resp": {"status_code": code, "status_msg": "as it says"}}).encode()
    server = serve(lambda _method, _path, _body: (200, "application/json", refusal))
    wanted = Voicing("es", "minimax", None, {"address": server.address, "pause": 0.01, "voice": "male-1"})
    with pytest.raises(DubError, match=said):
        list(
            catalogue.synthesizer("minimax").speak(
                [Saying("Uno.")], Voice("stock", "minimax", "male-1"), wanted, cores=1
            )
        )
    assert len(server.asked) == 1


def test_a_voice_that_elevenlabs_wants_verified_is_deleted_and_told(
    serve: Serve, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would not speak; nothing of hers stays there, and nothing is written down as standing there."""
    kind, key = VENDORS["elevenlabs"]
    monkeypatch.setenv(key, "secret")
    service = kind(verifies=True)
    wanted = Voicing("es", "elevenlabs", None, {"address": serve(service).address, "pause": 0.01})
    grant = granted(registry, third_party="elevenlabs")
    voice = learn(wanted, grant, registry, bench)
    with pytest.raises(EngineUnavailable, match=r"only when they have verified it there.*choose another engine"):
        spoken(wanted, grant, registry, bench, "Uno.", voice=voice)
    assert service.voices == set()
    assert remote_voices.standing(registry.root, "amara") == ()


def test_minimax_wants_ten_seconds_of_a_person(registry: Registry, bench: Workbench) -> None:
    """It is told before anything is sent."""
    wanted, grant = Voicing("es", "minimax"), granted(registry, third_party="minimax")
    engine = catalogue.synthesizer("minimax")
    with pytest.raises(InputError, match=r"there are 5\.0 s of their speech, and minimax needs 10 s"):
        engine.learn(known(length_s=5), wanted, grant, registry, bench)


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_leaves_for_a_vendor_whom_the_consent_does_not_name(
    serve: Serve, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch, vendor: str
) -> None:
    """No grant names them; a grant that names nobody does not do; the server is never asked."""
    kind, key = VENDORS[vendor]
    monkeypatch.setenv(key, "secret")
    server = serve(kind())
    wanted = Voicing("es", vendor, None, {"address": server.address})
    with pytest.raises(ConsentRefused, match=f"does not let {vendor} have the voice"):
        granted(registry, "ben", vendor)
    with pytest.raises(ConsentRefused, match=f"does not let {vendor} have the voice"):
        spoken(wanted, granted(registry, "ben"), registry, bench, "Uno.")
    assert server.asked == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_without_its_key_is_unavailable(vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, and no option can hold a key."""
    key = VENDORS[vendor][1]
    monkeypatch.delenv(key, raising=False)
    with pytest.raises(EngineUnavailable, match=f"{key} is not set"):
        catalogue.synthesizer(vendor).check(Voicing("es", vendor))
    with pytest.raises(InputError, match="no option `key`"):
        catalogue.synthesizer(vendor).check(Voicing("es", vendor, None, {"key": "x"}))


def test_a_voice_whose_making_was_interrupted_is_told(serve: Serve, registry: Registry, bench: Workbench) -> None:
    """Nobody knows whether it was made, so a person is told to look."""
    server = serve(lambda method, path, _: (500, "text/plain", b"") if "voices" in path else (200, "audio/wav", wav()))
    with pytest.raises(DubError, match="answered 500"):
        spoken(http(server, uploads=True), granted(registry), registry, bench, "Uno.")
    assert "was asked for" in deleted_elsewhere(registry, "amara")[0]


def test_every_engine_elsewhere_speaks_behind_the_gate_alone(
    serve: Serve, registry: Registry, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called around the grant, it refuses, and nothing is asked of anybody."""
    server = serve(lambda *_: (200, "audio/wav", wav()))
    for name in ("http", *VENDORS):
        monkeypatch.setenv(VENDORS[name][1] if name in VENDORS else "DUB_SPEECH_KEY", "secret")
        wanted = Voicing("es", name, None, {"address": server.address})
        [voice] = learned.kept([learned.sampled(known(), with_text=False)], known(), bench)
        cloner = catalogue.synthesizer(name).speaker(
            Voice("clone", name, voice, "amara", "amara-2026"), wanted, registry, bench
        )
        with pytest.raises(ConsentRefused, match="without a grant"):
            cloner._synthesize("amara", "es", [Saying("Hola.")])
    assert server.asked == []
