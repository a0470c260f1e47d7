"""Voices of vendors, who keep a person's voice with them: ElevenLabs and MiniMax.

Keys come from the environment alone. A person's sample is sent only where their consent names the vendor among its
third parties; the voice made of it is written down, and deleted there on revocation.

What is asked of ElevenLabs is what its own Python SDK 2.59 asks (the `raw_client.py` of `text_to_speech`, `voices` and
`voices/ivc`); of MiniMax, what its API reference says (platform.minimax.io/docs/api-reference, pages
speech-t2a-http, voice-cloning-uploadcloneaudio, voice-cloning-clone, voice-management-get and -delete, errorcode) and
its own MiniMax-MCP does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from manifests.errors import EngineUnavailable, InputError, StageFailed
from manifests.script import Speaker, Voice
from tasks.engines.learned import RATE, Sample, kept, sampled, wav
from tasks.engines.options import known_options
from tasks.engines.protocols import Control, Voicing
from tasks.engines.speech_server import presets
from tasks.engines.web import TRIES, Answer, Service, sound
from tasks.reference import Reference
from tasks.stage import Engine, Workbench
from voiceclone.remote_voices import RemoteVoice

if TYPE_CHECKING:
    from tasks.engines.remote import Vendor
    from voiceclone.engine import CloningEngine
    from voiceclone.grant import Grant
    from voiceclone.registry import Registry
    from voiceclone.saying import Said, Saying


_ELEVENLABS = "en ja zh de hi fr ko pt it es id nl tr fil pl sv bg ro ar cs el fi hr ms sk da ta uk ru"
_MINIMAX = (
    "zh en ar ru es fr pt de tr nl uk vi id ja it ko th pl ro el cs fi hi bg da he ms fa sk sv hr fil hu no sl ca nn"
    " ta af"
)
"""The languages that each says it speaks."""

_CALLED = {"nn": "Nynorsk"}
"""What MiniMax calls languages that are called otherwise in English."""

_BUSY = frozenset({1002, 1039, 1041, 2045})
"""MiniMax's words for too many questions, tokens or connections a minute, or more than a moment ago; it answers with
HTTP status 200."""
_PATIENCE = 7
"""How often it is asked while it is that: with a second before the first try again, all waits last a minute."""
_HICCUP = frozenset({1000, 1001, 1013, 1024, 1033})
"""The same for a time-out or a fault of its own, after which nobody knows whether what was asked for is done. 1013 is
one in the older of its text interfaces."""
_LOCKED_OUT = frozenset({1004, 2049})
_SPENT = frozenset({1008, 2056})
"""The same for an account that has no money, or no more of its plan."""
_UNSPEAKABLE = frozenset({1026, 1027, 1042})
"""The same for a text that it does not say: its words, or signs that cannot be seen."""
_MAKING = frozenset({"/v1/files/upload", "/v1/voice_clone"})
"""What must not be asked for twice."""


class Hosted:
    """What the engines of vendors share."""

    name: str
    key: str
    """The environment variable that holds the key."""
    address: str
    usual_model: str
    code_licence = "Apache-2.0 here; a hosted service"
    weights_licence = "the vendor's terms, by plan"
    cloner: str
    obeys: frozenset[Control] = frozenset()
    seeded = True
    sample_rate = 24_000
    least_s = 3.0
    """Seconds of a person's speech below which the vendor makes no voice."""
    tongues: tuple[str, ...]

    def vendor(self, wanted: Voicing) -> Vendor:
        raise NotImplementedError

    def check(self, wanted: Voicing) -> None:
        from tasks import best_take

        known_options(wanted, "address", "timeout", "pause", "voice", "commercial", "at_once", best_take.OPTION)
        best_take.number(wanted)
        if wanted.language.split("-")[0] not in self.tongues:
            raise EngineUnavailable(
                f"the engine {self.name} does not speak {wanted.language}; it speaks {', '.join(self.tongues)}.",
                remedy="Choose another engine under `engines: {synthesize: …}`.",
            )
        if not os.environ.get(self.key):
            raise EngineUnavailable(
                f"the engine {self.name} needs a key, and {self.key} is not set.", remedy=f"export {self.key}=…"
            )

    def identity(self, wanted: Voicing) -> Engine:
        return Engine(self.name, wanted.model or self.usual_model)

    def languages(self, wanted: Voicing) -> tuple[str, ...]:
        return self.tongues

    def commercial(self, wanted: Voicing) -> bool:
        """By plan, which only the operator knows: `commercial: true` says so."""
        return wanted.options.get("commercial") is True

    def third_party(self, wanted: Voicing) -> str:
        return self.name

    def cast(self, speakers: Sequence[Speaker], reasons: Mapping[str, str], wanted: Voicing) -> dict[str, Voice]:
        return presets(self.name, speakers, reasons, wanted)

    def speak(self, sayings: Sequence[Saying], voice: Voice, wanted: Voicing, *, cores: int) -> Iterator[Said | None]:
        from tasks.engines.remote import said_at_once

        vendor, size = self.vendor(wanted), int(wanted.options.get("at_once", 4))
        for first in range(0, len(sayings), size):
            yield from said_at_once(vendor, sayings[first : first + size], voice.name, wanted.language)

    def learn(
        self, reference: Reference, wanted: Voicing, grant: Grant, registry: Registry, bench: Workbench
    ) -> tuple[str, str]:
        sample = sampled(reference, with_text=False)
        if (length_s := len(sample.sound) / RATE) < self.least_s:
            raise InputError(f"there are {length_s:.1f} s of their speech, and {self.name} needs {self.least_s:.0f} s")
        return kept([sample], reference, bench)[0], f"a voice kept by {self.name}, deleted there on revocation"

    def speaker(
        self, voice: Voice, wanted: Voicing, registry: Registry, bench: Workbench
    ) -> CloningEngine[Saying, Said]:
        from tasks.engines.remote import RemoteSpeaker

        return RemoteSpeaker(
            registry,
            self.vendor(wanted),
            bench,
            voice.name,
            voice.consent or "",
            third_party=self.name,
            uploads=True,
            keeps=True,
            at_once=int(wanted.options.get("at_once", 4)),
        )

    def forget(self, voice: RemoteVoice, registry: Registry) -> None:
        """Delete a person's voice with the vendor. Raises StageFailed or EngineUnavailable where it could not be."""
        from tasks.engines.remote import forget

        if not os.environ.get(self.key):
            raise EngineUnavailable(
                f"the voice {voice.voice} at {self.name} cannot be deleted: {self.key} is not set.",
                remedy=f"export {self.key}=…, then revoke again.",
            )
        forget(self.vendor(Voicing("", self.name, options={"address": voice.where})), voice, registry.root)

    def service(self, wanted: Voicing, headers: dict[str, str]) -> Service:
        options = wanted.options
        return Service(
            self.name,
            str(options.get("address", self.address)),
            headers,
            float(options.get("timeout", 120.0)),
            float(options.get("pause", 1.0)),
        )


class ElevenLabs(Hosted):
    """ElevenLabs' text to speech, with instant voice clones."""

    name = cloner = "elevenlabs"
    key = "ELEVENLABS_API_KEY"
    address = "https://api.elevenlabs.io"
    usual_model = "eleven_multilingual_v2"
    tongues = tuple(_ELEVENLABS.split())

    def vendor(self, wanted: Voicing) -> Vendor:
        headers = {"xi-api-key": os.environ.get(self.key, "")}
        return _ElevenLabs(self.service(wanted, headers), wanted.model or self.usual_model)


class _ElevenLabs:
    engine = "elevenlabs"

    def __init__(self, service: Service, model: str) -> None:
        self._service, self._model, self.where = service, model, service.address

    def say(self, saying: Saying, voice: str | Sample, language: str) -> Said:
        from voiceclone.saying import Said

        answer = self._service.ask(
            "POST",
            f"/v1/text-to-speech/{voice}",
            params={"output_format": "pcm_24000"},
            json={"text": saying.text, "model_id": self._model, "seed": saying.seed},
        )
        return Said(*sound(answer, self.engine, raw_rate=24_000))

    def upload(self, sample: Sample, name: str, consent: str) -> str:
        from tasks.engines.remote import VoiceRefused

        answer = self._service.ask(
            "POST",
            "/v1/voices/add",
            data={"name": name, "description": f"consent {consent}"},
            files={"files": ("sample.wav", wav(sample), "audio/wav")},
        )
        made = answer.json(self.engine)
        voice = _id(made.get("voice_id"), self.engine)
        if made.get("requires_verification"):
            self.delete(voice)
            raise VoiceRefused(
                "elevenlabs speaks in this person's voice only when they have verified it there, which takes their own"
                " recording on its website; the voice that was made is deleted again.",
                remedy="Ask ElevenLabs to lift that for your account, or choose another engine under"
                " `engines: {synthesize: …}`.",
            )
        return voice

    def delete(self, voice: str) -> None:
        self._service.ask("DELETE", f"/v1/voices/{voice}", expected=(200, 204, 404))
        left = self._service.ask("GET", f"/v1/voices/{voice}", expected=(200, 400, 404, 422))
        if left.status == 200:
            raise StageFailed(f"elevenlabs still has the voice {voice} after it was asked to delete it.")


class MiniMax(Hosted):
    """MiniMax's text to audio, with rapid voice clones."""

    name = cloner = "minimax"
    key = "MINIMAX_API_KEY"
    address = "https://api.minimax.io"
    usual_model = "speech-2.8-hd"
    seeded = False
    least_s = 10.0
    tongues = tuple(_MINIMAX.split())

    def vendor(self, wanted: Voicing) -> Vendor:
        headers = {"Authorization": f"Bearer {os.environ.get(self.key, '')}"}
        return _MiniMax(self.service(wanted, headers), wanted.model or self.usual_model)


class _MiniMax:
    engine = "minimax"

    def __init__(self, service: Service, model: str) -> None:
        self._service, self._model, self.where = service, model, service.address

    def say(self, saying: Saying, voice: str | Sample, language: str) -> Said:
        from langcodes import Language

        from voiceclone.saying import Said

        base = language.split("-", maxsplit=1)[0]
        answer = self._asked(
            "/v1/t2a_v2",
            json={
                "model": self._model,
                "text": saying.text,
                "stream": False,
                "output_format": "hex",
                "language_boost": _CALLED.get(base) or Language.get(base).display_name("en"),
                "voice_setting": {"voice_id": voice, "speed": 1.0},
                "audio_setting": {"sample_rate": 24_000, "format": "flac", "channel": 1},
            },
        )
        try:
            body = bytes.fromhex(answer["data"]["audio"])
        except (KeyError, TypeError, ValueError) as error:
            raise StageFailed("minimax answered without sound.") from error
        return Said(*sound(Answer(200, "audio/flac", body), self.engine))

    def upload(self, sample: Sample, name: str, consent: str) -> str:
        answer = self._asked(
            "/v1/files/upload",
            data={"purpose": "voice_clone"},
            files={"file": ("sample.wav", wav(sample), "audio/wav")},
        )
        try:
            file = answer["file"]["file_id"]
        except (KeyError, TypeError) as error:
            raise StageFailed("minimax took the sample and gave no id of it.") from error
        try:
            self._asked("/v1/voice_clone", json={"file_id": file, "voice_id": name})
        finally:
            self._asked("/v1/files/delete", json={"file_id": file, "purpose": "voice_clone"})
        return name

    def delete(self, voice: str) -> None:
        """What `get_voice` lists are voices that have spoken once: one that never did is taken at the answer's word."""
        self._asked("/v1/delete_voice", json={"voice_type": "voice_cloning", "voice_id": voice})
        left = self._asked("/v1/get_voice", json={"voice_type": "voice_cloning"})
        if any(each.get("voice_id") == voice for each in left.get("voice_cloning") or []):
            raise StageFailed(f"minimax still has the voice {voice} after it was asked to delete it.")

    def _asked(self, path: str, **what: Any) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        status: dict[str, Any] = {}
        for number in range(_PATIENCE):
            if number:
                self._service.wait(number)
            answer = self._service.ask("POST", path, **what).json(self.engine)
            status = answer.get("base_resp") or {}
            hiccup = status.get("status_code") in _HICCUP and path not in _MAKING and number < TRIES - 1
            if not hiccup and status.get("status_code") not in _BUSY:
                break
        if status.get("status_code") in _LOCKED_OUT:
            raise EngineUnavailable(
                f"minimax does not let us in: {status.get('status_msg')}.", remedy="Look at its key."
            )
        if status.get("status_code") in _SPENT:
            raise EngineUnavailable(
                f"minimax speaks no more on this account: {status.get('status_msg')}.",
                remedy="Look at its balance and its plan, then run again: what was said is kept.",
            )
        if status.get("status_code", 0) != 0:
            raise StageFailed(
                f"minimax refused {path}: {status.get('status_code')} {status.get('status_msg')}.",
                remedy="Say it in other words: `dub script export`, then `import`."
                if status.get("status_code") in _UNSPEAKABLE
                else "",
            )
        return answer


def _id(value: Any, who: str) -> str:
    if not isinstance(value, str) or not value:
        raise StageFailed(f"{who} made a voice and gave no id of it.")
    return value
