"""Speaking through somebody else's machine: what all such engines share.

A person's sample leaves the machine within a granted batch only. Where a service keeps it as a voice, that is written
down first (`voiceclone.remote_voices`), and a revocation deletes it there too.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from manifests.errors import DubError, EngineUnavailable, StageFailed
from tasks.engines.learned import Sample
from tasks.stage import Workbench
from voiceclone import remote_voices
from voiceclone.engine import CloningEngine
from voiceclone.registry import Registry
from voiceclone.remote_voices import RemoteVoice
from voiceclone.saying import Said, Saying

TRIES_AT_A_SOUND = 2
"""Of which the second has the next seed: silence may be a bad draw."""


class VoiceRefused(EngineUnavailable):
    """A service does not speak in a voice that was uploaded, and no longer has it."""


class Vendor(Protocol):
    """A service that says texts in voices that it has, or in one that is sent along."""

    engine: str
    where: str

    def say(self, saying: Saying, voice: str | Sample, language: str) -> Said:
        """Raises StageFailed where the answer is no speech."""
        ...

    def upload(self, sample: Sample, name: str, consent: str) -> str:
        """The id of a new voice made from a sample. Raises VoiceRefused where it may not be used, and is gone again."""
        ...

    def delete(self, voice: str) -> None:
        """Delete an uploaded voice, and make sure that it is gone. Raises StageFailed where it is not."""
        ...


class RemoteSpeaker(CloningEngine[Saying, Said]):
    """Says lines in a person's voice elsewhere: with a sample in each question, or a voice that the service keeps."""

    def __init__(
        self,
        registry: Registry,
        vendor: Vendor,
        bench: Workbench,
        sample: str,
        consent: str,
        *,
        third_party: str | None,
        uploads: bool,
        keeps: bool = False,
        at_once: int = 4,
    ) -> None:
        super().__init__(registry)
        self.third_party = third_party
        self.batch_size = max(1, at_once)
        self._root, self._vendor, self._bench, self._sample, self._consent = (
            registry.root,
            vendor,
            bench,
            sample,
            consent,
        )
        self._uploads, self._keeps = uploads, keeps
        self._made: RemoteVoice | None = None

    def close(self) -> None:
        """Delete the voice with the service, where it was there for these lines only."""
        if self._made is not None and not self._keeps:
            made, self._made = self._made, None
            self._vendor.delete(made.voice)
            remote_voices.leave(self._root, made)

    def _synthesize(self, person: str, language: str, batch: Sequence[Saying]) -> Sequence[Said]:
        sample = Sample.load(self._bench.store.get(self._sample))
        voice = self._voice(person, sample) if self._uploads else sample
        return said_at_once(self._vendor, batch, voice, language)

    def _voice(self, person: str, sample: Sample) -> str:
        """The service's id of the voice: of one that is there, or made now."""
        if self._made is None:
            there = [
                each
                for each in remote_voices.standing(self._root, person)
                if (each.engine, each.where, each.sample) == (self._vendor.engine, self._vendor.where, self._sample)
                and not each.voice.startswith(_ASKED)
            ]
            self._made = there[-1] if there else self._upload(person, sample)
        return self._made.voice

    def _upload(self, person: str, sample: Sample) -> RemoteVoice:
        name = f"dubflow-{self._sample[:12]}-{secrets.token_hex(4)}"  # a vendor may never give a name twice
        asked = RemoteVoice(self._vendor.engine, self._vendor.where, _ASKED + name, person, self._consent, self._sample)
        remote_voices.enter(self._root, asked)
        try:
            voice = self._vendor.upload(sample, name, self._consent)
        except VoiceRefused:
            remote_voices.leave(self._root, asked)
            raise
        made = RemoteVoice(asked.engine, asked.where, voice, person, self._consent, self._sample)
        remote_voices.enter(self._root, made)
        remote_voices.leave(self._root, asked)
        return made


_ASKED = "asked for as "


def said_at_once(vendor: Vendor, batch: Sequence[Saying], voice: str | Sample, language: str) -> list[Said]:
    """A batch, all its lines asked for at once. Raises what goes wrong, naming the line."""
    with ThreadPoolExecutor(max_workers=len(batch)) as pool:
        return list(pool.map(partial(_said, vendor=vendor, voice=voice, language=language), batch))


def _said(saying: Saying, *, vendor: Vendor, voice: str | Sample, language: str) -> Said:
    for number in range(TRIES_AT_A_SOUND):
        try:
            return vendor.say(replace(saying, seed=saying.seed + number), voice, language)
        except StageFailed as error:
            if number == TRIES_AT_A_SOUND - 1 or "silence" not in error.message:
                raise error.about(line=saying.line) from error.__cause__
        except DubError as error:
            raise error.about(line=saying.line) from error.__cause__
    raise AssertionError


def forget(vendor: Vendor, voice: RemoteVoice, registry: Path) -> None:
    """Delete a voice elsewhere for good. Raises StageFailed or EngineUnavailable where it could not be."""
    if voice.voice.startswith(_ASKED):
        raise StageFailed(
            f"a voice called {voice.voice.removeprefix(_ASKED)} was asked for at {voice.where}, and it is not known"
            " whether it was made.",
            remedy="Look it up there, and delete it by hand.",
        )
    vendor.delete(voice.voice)
    remote_voices.leave(registry, voice)
