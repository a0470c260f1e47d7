"""Asking a service for something: with a limit of time for the whole answer, and again, later, where that may help.

Keys go into headers and never into messages.
"""

from __future__ import annotations

import io
import random
import time
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable, StageFailed

TRIES = 4
LARGEST = 200 << 20
"""Bytes of an answer."""
RATES = (8_000, 192_000)
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same question may be answered."""

QUIETEST = 10 ** (-70 / 20)
"""Peak below which a sound is silence."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    kind: str
    """Its media type, in lower case."""
    body: bytes

    def json(self, who: str) -> dict[str, Any]:
        """Raises StageFailed where it is no JSON object."""
        import json

        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise StageFailed(f"{who} answered with {self.told}, not with JSON.") from error
        if not isinstance(value, dict):
            raise StageFailed(f"{who} answered with JSON that is no object.")
        return cast("dict[str, Any]", value)

    @property
    def told(self) -> str:
        """What it is, for messages."""
        if not self.body:
            return "nothing"
        start = self.body[:120].decode(errors="replace").split("\n")[0].strip()
        page = "html" in self.kind or start.lower().startswith(("<!doctype", "<html"))
        return "a web page" if page else f"{self.kind or 'something'} ({start[:80]!r})"


@dataclass(frozen=True, slots=True)
class Service:
    """A service at an address."""

    who: str
    """What messages call it."""
    address: str
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout_s: float = 120.0
    """For one whole answer."""
    pause_s: float = 1.0
    """Before the second try; twice as long before each further one, and up to half of it more."""

    def ask(self, method: str, path: str, *, expected: tuple[int, ...] = (200, 201, 204), **what: Any) -> Answer:
        """The answer to a question (`json`, `data`, `files`, `params` as httpx takes them).

        Tried again after a pause where nobody answers, it takes too long, or the status is a passing one. Raises
        EngineUnavailable where the service is not there or does not let us in, StageFailed for any other answer.
        """
        import httpx

        said = ""
        for number in range(TRIES):
            if number:
                self.wait(number)
            try:
                answer = self._once(method, path, what)
            except httpx.TimeoutException:
                said = f"did not answer within {self.timeout_s:g} s"
            except httpx.ConnectError:
                said = "cannot be reached"
            except httpx.HTTPError as error:
                said = f"broke off ({type(error).__name__})"
            else:
                if answer.status in expected:
                    return answer
                said = f"answered {answer.status} with {answer.told}"
                if answer.status in (401, 403):
                    raise EngineUnavailable(f"{self.who} does not let us in: it {said}.", remedy="Look at its key.")
                if answer.status not in PASSING:
                    raise StageFailed(f"{self.who} {said}.")
        raise StageFailed(f"{self.who} {said}, {TRIES} times.", remedy=f"Look at {self.address}, then run again.")

    def wait(self, number: int) -> None:
        """Pause before a further try, of which this is the `number`th."""
        time.sleep(self.pause_s * 2 ** (number - 1) * (1 + random.random() / 2))  # noqa: S311  (jitter)

    def _once(self, method: str, path: str, what: dict[str, Any]) -> Answer:
        import httpx

        until = time.monotonic() + self.timeout_s
        with (
            httpx.Client(timeout=httpx.Timeout(self.timeout_s, connect=min(10.0, self.timeout_s))) as client,
            client.stream(method, self.address.rstrip("/") + path, headers=self.headers, **what) as response,
        ):
            body = bytearray()
            for part in response.iter_bytes():
                body += part
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("the answer goes on and on")
                if len(body) > LARGEST:
                    raise StageFailed(f"{self.who} answered with more than {LARGEST >> 20} MB.")
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Answer(response.status_code, kind, bytes(body))


def sound(answer: Answer, who: str, *, raw_rate: int | None = None) -> tuple[NDArray[np.float32], int]:
    """The mono sound in an answer, and its rate; `raw_rate` where it is 16-bit samples without a header.

    Raises StageFailed for a page, JSON, nothing, silence, or a sample rate that no speech has.
    """
    import soundfile

    text = answer.body[:1].strip() in (b"<", b"{") or answer.kind.startswith("text/") or "json" in answer.kind
    if not answer.body or text:
        raise StageFailed(
            f"{who} answered with {answer.told}, not with sound.", remedy="Look at its address, its model and its key."
        )
    if raw_rate is not None and not answer.body.startswith((b"RIFF", b"fLaC", b"ID3", b"OggS")):
        samples, rate = (
            np.frombuffer(answer.body[: len(answer.body) // 2 * 2], "<i2").astype(np.float32) / 32768,
            raw_rate,
        )
    else:
        try:
            read, rate = soundfile.read(io.BytesIO(answer.body), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise StageFailed(f"{who} answered with {answer.told}, which is no sound that can be read.") from error
        samples = np.asarray(read, np.float32).mean(axis=1)
    if not RATES[0] <= rate <= RATES[1]:
        raise StageFailed(f"{who} answered with sound at {rate} samples a second.")
    if not len(samples) or float(np.abs(samples).max()) < QUIETEST:
        raise StageFailed(f"{who} answered with silence.", remedy="Ask it for the same voice by hand, then run again.")
    return samples.astype(np.float32), int(rate)
