"""A speech server of the operator's own, or anybody's, that speaks OpenAI's `POST /v1/audio/speech`.

    engines: {synthesize: {name: http, model: Qwen/Qwen3-TTS-12Hz-1.7B-Base,
                           options: {address: "http://127.0.0.1:8091", dialect: vllm-omni}}}

Dialects: `vllm-omni` and `sglang-omni` take a sample of a person's speech in each question (or, with `uploads: true`,
as a voice that is deleted again when the lines are said; vllm-omni only); `openai` has voices of its own only.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from manifests.errors import EngineUnavailable, InputError, StageFailed
from manifests.script import Speaker, Voice
from tasks.engines.learned import Sample, kept, sampled, wav
from tasks.engines.options import known_options
from tasks.engines.protocols import Control, Voicing
from tasks.engines.web import Service, sound
from tasks.reference import Reference
from tasks.stage import Engine, Workbench, digest
from voiceclone.remote_voices import RemoteVoice

if TYPE_CHECKING:
    from voiceclone.engine import CloningEngine
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.saying import Said, Saying

DIALECTS = ("vllm-omni", "sglang-omni", "openai")
KEY = "DUB_SPEECH_KEY"
"""The environment variable that holds the server's key, where it wants one; `key:` names another."""


class Server:
    """One speech server, as `tasks.engines.remote` speaks to it."""

    engine = "http"

    def __init__(self, wanted: Voicing) -> None:
        options = wanted.options
        self.where = str(options["address"]).rstrip("/")
        self.dialect = str(options.get("dialect", DIALECTS[0]))
        key = os.environ.get(str(options.get("key", KEY)))
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._service = Service(
            f"the speech server {urlsplit(self.where).netloc}",
            self.where,
            headers,
            float(options.get("timeout", 120.0)),
            float(options.get("pause", 1.0)),
        )
        self._model, self._rate = wanted.model, options.get("sample_rate")

    def say(self, saying: Saying, voice: str | Sample, language: str) -> Said:
        from voiceclone.saying import Said

        asked: dict[str, Any] = {"input": saying.text, "response_format": "wav"}
        if self._model:
            asked["model"] = self._model
        if self.dialect != "openai":
            asked |= {"language": _named(language), "seed": saying.seed}
        if isinstance(voice, str):
            asked["voice"] = voice
        elif self.dialect == "sglang-omni":
            asked |= {"ref_audio": _inline(voice)} | ({"ref_text": voice.text} if voice.text else {})
        else:
            asked |= {"task_type": "Base", "ref_audio": _inline(voice), "x_vector_only_mode": not voice.text}
            asked |= {"ref_text": voice.text} if voice.text else {}
        answer = self._service.ask("POST", "/v1/audio/speech", json=asked)
        samples, rate = sound(answer, self._service.who)
        if self._rate is not None and rate != self._rate:
            raise StageFailed(
                f"{self._service.who} answered with {rate} samples a second, and the manifest says {self._rate}.",
                remedy="Mend `sample_rate`, or the server.",
            )
        return Said(samples, rate)

    def upload(self, sample: Sample, name: str, consent: str) -> str:
        self._service.ask(
            "POST",
            "/v1/audio/voices",
            data={"name": name, "consent": consent} | ({"ref_text": sample.text} if sample.text else {}),
            files={"audio_sample": ("sample.wav", wav(sample), "audio/wav")},
        )
        return name

    def delete(self, voice: str) -> None:
        self._service.ask("DELETE", f"/v1/audio/voices/{voice}", expected=(200, 202, 204, 404))
        left = self._service.ask("GET", "/v1/audio/voices").json(self._service.who)
        names = [each.get("name") if isinstance(each, dict) else each for each in left.get("voices", [])]
        names += [each.get("name") for each in left.get("uploaded_voices", []) if isinstance(each, dict)]
        if voice in names:
            raise StageFailed(
                f"{self._service.who} still has the voice {voice} after it was asked to delete it.",
                remedy="Delete it there by hand.",
            )


class SpeechServer:
    """Speaks through a server: people's voices where it takes a sample, and voices that it has, by `voice:`."""

    name = "http"
    code_licence = "Apache-2.0 here; the server's is the operator's to know"
    weights_licence = "the operator's to know"
    cloner = "http"
    obeys: frozenset[Control] = frozenset()
    seeded = True
    sample_rate = 24_000

    def check(self, wanted: Voicing) -> None:
        from tasks import best_take

        known_options(
            wanted,
            *("address", "dialect", "key", "timeout", "pause", "voice", "uploads", "sample_rate", "commercial"),
            *("at_once", best_take.OPTION),
        )
        best_take.number(wanted)
        address = str(wanted.options.get("address", ""))
        if not address.startswith(("http://", "https://")):
            raise InputError(
                "the engine http needs `address`, such as http://127.0.0.1:8091.",
                remedy="Write `engines: {synthesize: {name: http, options: {address: …}}}`.",
            )
        if urlsplit(address).username or urlsplit(address).password:
            raise InputError("`address` holds a password.", remedy=f"Put the key into the variable {KEY}.")
        dialect = wanted.options.get("dialect", DIALECTS[0])
        if dialect not in DIALECTS:
            raise InputError(f"there is no dialect {dialect!r}.", remedy=f"Write one of {', '.join(DIALECTS)}.")
        if wanted.options.get("uploads") and dialect != "vllm-omni":
            raise InputError("`uploads` is for the dialect vllm-omni.", remedy="Leave it out.")
        name = str(wanted.options.get("key", KEY))
        if "key" in wanted.options and not os.environ.get(name):
            raise EngineUnavailable(f"the variable {name} holds no key.", remedy=f"export {name}=…")

    def identity(self, wanted: Voicing) -> Engine:
        """What runs there cannot be seen from here: its address and its model's name stand for it."""
        facts = {"address": wanted.options.get("address"), "model": wanted.model}
        return Engine(self.name, f"{wanted.options.get('dialect', DIALECTS[0])}", digest(facts))

    def languages(self, wanted: Voicing) -> tuple[str, ...]:
        return ()

    def commercial(self, wanted: Voicing) -> bool:
        """Only the operator knows: `commercial: true` says so."""
        return wanted.options.get("commercial") is True

    def third_party(self, wanted: Voicing) -> str | None:
        return outsider(str(wanted.options.get("address", "")))

    def cast(self, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
        return presets(self.name, speakers, reasons, wanted)

    def speak(self, sayings: Sequence[Saying], voice: Voice, wanted: Voicing, *, cores: int) -> Iterator[Said | None]:
        from tasks.engines.remote import said_at_once

        server, size = Server(wanted), int(wanted.options.get("at_once", 4))
        for first in range(0, len(sayings), size):
            yield from said_at_once(server, sayings[first : first + size], voice.name, wanted.language)

    def learn(
        self, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
    ) -> tuple[str, str | None]:
        if wanted.options.get("dialect") == "openai":
            raise InputError("servers that speak the dialect openai take no sample of a voice")
        try:
            sample = sampled(reference, with_text=True)
        except InputError:
            sample = sampled(reference, with_text=False)
        use = "the sample with its text" if sample.text else "the sample without a text"
        return kept([sample], reference, bench)[0], use

    def speaker(
        self, voice: Voice, wanted: Voicing, registry: Registry, bench: Workbench
    ) -> CloningEngine[Saying, Said]:
        from tasks.engines.remote import RemoteSpeaker

        return RemoteSpeaker(
            registry,
            Server(wanted),
            bench,
            voice.name,
            voice.consent or "",
            third_party=self.third_party(wanted),
            uploads=wanted.options.get("uploads") is True,
            at_once=int(wanted.options.get("at_once", 4)),
        )

    def forget(self, voice: RemoteVoice, registry: Registry) -> None:
        """Delete a voice that an interrupted run left with a server."""
        from tasks.engines.remote import forget

        forget(Server(Voicing("", self.name, options={"address": voice.where})), voice, registry.root)


def outsider(address: str) -> str | None:
    """The host of an address, where it is neither this machine nor one of a private network."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return None
    try:
        return None if (ip := ipaddress.ip_address(host)).is_loopback or ip.is_private else host
    except ValueError:
        return host


def presets(engine: str, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
    """The voices that the manifest names under `voice`, one for each speaker in turn; none where it names none."""
    names = [name.strip() for name in str(wanted.options.get("voice", "")).split(",") if name.strip()]
    return {
        speaker.label: Voice("stock", engine, names[at % len(names)], reason=reasons[speaker.label] or None)
        for at, speaker in enumerate(speakers)
        if names
    }


def _inline(sample: Sample) -> str:
    return "data:audio/wav;base64," + base64.b64encode(wav(sample)).decode()


def _named(language: str) -> str:
    """As the models are told it: `Spanish`."""
    from langcodes import Language

    return Language.get(language.split("-", maxsplit=1)[0]).display_name("en")
