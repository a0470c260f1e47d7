"""Translation by a language model behind an OpenAI-compatible address (`/v1/chat/completions`), its own or rented.

Lines go in batches with their neighbours as context, and come back as JSON by their ids; each in three lengths, so that
the stage can choose. What does not come back whole is asked for again alone; what then is missing fails the stage.
Temperature 0 and a seed make answers repeatable as far as the server keeps its word; the store keeps what was said.

The key is read from `DUB_CHAT_KEY` and is in no manifest, message or record.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from manifests.errors import EngineUnavailable, InputError, StageFailed
from tasks.engines.protocols import Translated, Translating
from tasks.stage import Engine

if TYPE_CHECKING:
    import httpx

KEY: Final = "DUB_CHAT_KEY"

_OPTIONS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "url": str,
    "batch": int,
    "timeout": (int, float),
    "tries": int,
    "price_in": (int, float),
    "price_out": (int, float),
    "style": str,
}
_EXAMPLE = "engines: {translate: {name: chat, model: NAME, options: {url: http://localhost:8000/v1}}}"
_LENGTHS: Final = ("full", "shorter", "shortest")
_CONTEXT = 2  # lines before and after a batch, to be understood and not translated
_SLOWEST_S = 30.0
_LARGEST_BYTES = 4 << 20

_TASK = """You translate lines of a lecture from {source} to {target}, to be spoken aloud in time with the original.
{terms}Keep numbers, units, negations, names, addresses and every token such as ⟦1⟧ exactly; keep the
register; add nothing.{style}
Give each line in three lengths: "full", "shorter" (about 15 % fewer syllables) and "shortest" (about 30 % fewer), each
a whole sentence with nothing important left out.
The user sends JSON: "lines" is id to text; "before" and "after" are context only. Answer with JSON alone:
{{"lines": {{"<id>": {{"full": "…", "shorter": "…", "shortest": "…"}}, …}}}} with every id of "lines" and no other."""


class Unreadable(Exception):
    """An answer that is not what was asked for."""


class Chat:
    """The translator of those who run or rent a language model."""

    name = "chat"
    placeholder = "⟦{}⟧"

    def check(self, wanted: Translating) -> None:
        options = wanted.options
        for name, value in options.items():
            if name not in _OPTIONS:
                raise InputError(
                    f"the engine chat has no option {name!r}.", remedy=f"There are: {', '.join(_OPTIONS)}."
                )
            if isinstance(value, bool) or not isinstance(value, _OPTIONS[name]):
                raise InputError(f"the option {name} of chat is {value!r}.", remedy=f"Write it as in `{_EXAMPLE}`.")
            if not isinstance(value, str) and value < (0 if name.startswith("price") else 1):
                raise InputError(f"the option {name} of chat is {value}.", remedy="Write 1 or more.")
        address = urlsplit(str(options.get("url", "")))
        if address.scheme not in ("http", "https") or not address.hostname or not wanted.model:
            raise InputError("the engine chat needs a model and the address of its server.", remedy=f"`{_EXAMPLE}`")
        if address.username or address.password or address.query:
            raise InputError(
                "the address of chat holds a key.", remedy=f"Put keys into {KEY}, and the address alone here."
            )

    def identity(self, wanted: Translating) -> Engine:
        return Engine(f"{self.name}:{wanted.model}", "1")

    def route(self, wanted: Translating) -> tuple[str, ...]:
        return (f"{wanted.source}_{wanted.target}",)

    def translate(
        self, texts: Sequence[str], wanted: Translating, *, cores: int, tell: Callable[[float], None]
    ) -> list[Translated]:
        """Each text in full, and shorter ones as hypotheses.

        Raises EngineUnavailable where nobody answers or the key is refused, StageFailed where answers stay unusable.
        """
        import httpx

        self.check(wanted)
        said: dict[int, Translated] = {at: Translated(text) for at, text in enumerate(texts) if not _has_words(text)}
        open_ = [at for at in range(len(texts)) if at not in said]
        size = int(wanted.options.get("batch", 20))
        key = os.environ.get(KEY, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx.Client(headers=headers, timeout=_timeout(wanted), follow_redirects=False, trust_env=False) as client:
            for start in range(0, len(open_), size):
                part = open_[start : start + size]
                said |= _batch(client, part, texts, wanted)
                tell(min(1.0, (start + size) / len(open_)))
        return [said[at] for at in range(len(texts))]


def _timeout(wanted: Translating) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(float(wanted.options.get("timeout", 120)), connect=10)


def _has_words(text: str) -> bool:
    return any(map(str.isalpha, text))


def _batch(
    client: httpx.Client, part: Sequence[int], texts: Sequence[str], wanted: Translating
) -> dict[int, Translated]:
    """The translations of some lines, those that do not come back whole asked for again alone."""
    found = _asked(client, part, texts, wanted)
    for at in part:
        if at not in found:
            found |= _asked(client, [at], texts, wanted)
        if at not in found:
            raise StageFailed(
                f"{wanted.model} gave no translation of {texts[at][:60]!r}, twice.",
                remedy="Run again, choose another model, or translate that line by hand (`dub script export`).",
            )
    return found


def _asked(
    client: httpx.Client, part: Sequence[int], texts: Sequence[str], wanted: Translating
) -> dict[int, Translated]:
    """What one question brings: whole lines only."""
    question = {
        "before": list(texts[max(0, part[0] - _CONTEXT) : part[0]]),
        "lines": {str(at): texts[at] for at in part},
        "after": list(texts[part[-1] + 1 : part[-1] + 1 + _CONTEXT]),
    }
    body = {
        "model": wanted.model,
        "temperature": 0,
        "seed": 0,
        "response_format": {"type": "json_object"},
        "messages": [
            {"role": "system", "content": _task(wanted)},
            {"role": "user", "content": json.dumps(question, ensure_ascii=False)},
        ],
    }
    try:
        answer = _posted(client, body, wanted)
    except Unreadable:
        return {}
    try:
        lines = _lines(answer)
    except Unreadable:
        lines = {}
    made = {at: whole for at in part if (whole := _translated(lines.get(str(at)))) is not None}
    tokens = _tokens(answer)
    for at in list(made)[:1]:
        prices = (float(wanted.options.get(name, 0)) for name in ("price_in", "price_out"))
        cost = sum(count * price / 1e6 for count, price in zip(tokens, prices, strict=True))
        made[at] = replace(made[at], tokens=tokens, cost=round(cost, 6))
    return made


def _task(wanted: Translating) -> str:
    style = f"\n{wanted.options['style']}" if wanted.options.get("style") else ""
    terms = "; ".join(f"{source} = {term}" for source, term in wanted.terms)
    told = f"Use these terms, inflected as the sentence needs: {terms}.\n" if terms else ""
    return _TASK.format(source=wanted.source, target=wanted.target, style=style, terms=told)


def _tokens(answer: Any) -> tuple[int, int]:
    """What the server says that it read and wrote; nothing where it does not say."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    counts = [usage.get(name) if isinstance(usage, dict) else 0 for name in ("prompt_tokens", "completion_tokens")]
    read, written = (count if isinstance(count, int) else 0 for count in counts)
    return read, written


def _translated(given: Any) -> Translated | None:
    """A line of an answer; None where it is not whole."""
    lengths = cast("dict[str, Any]", given) if isinstance(given, dict) else {"full": given}
    said = [" ".join(text.split()) for name in _LENGTHS if isinstance(text := lengths.get(name), str)]
    if not said or not said[0] or not isinstance(lengths.get("full"), str):
        return None
    return Translated(said[0], hypotheses=tuple(dict.fromkeys(text for text in said[1:] if text and text != said[0])))


def _lines(answer: Any) -> dict[str, Any]:
    """The lines that a server's answer holds. Raises Unreadable."""
    try:
        text = answer["choices"][0]["message"]["content"]
        start, end = text.index("{"), text.rindex("}") + 1  # some put a fence around it
        lines = json.loads(text[start:end])["lines"]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable from error
    if not isinstance(lines, dict):
        raise Unreadable
    return cast("dict[str, Any]", lines)


def _posted(client: httpx.Client, body: Mapping[str, Any], wanted: Translating) -> Any:
    """The server's JSON. Asked again, later each time, where it is busy, broken or silent.

    Raises Unreadable for an answer that is no JSON, EngineUnavailable where there is none.
    """
    import httpx

    address = f"{str(wanted.options['url']).rstrip('/')}/chat/completions"
    tries = int(wanted.options.get("tries", 4))
    said = ""
    for pause in _waits(tries):
        wait = pause
        try:
            response = _heard(client, address, body, float(wanted.options.get("timeout", 120)))
        except httpx.TimeoutException:
            said = f"did not answer within {wanted.options.get('timeout', 120)} s"
        except httpx.HTTPError as error:
            said = f"cannot be reached ({type(error).__name__})"
        else:
            if response.is_success:
                return _json(response)
            said = f"answers {response.status_code}"
            if response.status_code in (401, 403):
                raise EngineUnavailable(
                    f"the server of chat at {address} refuses the key ({response.status_code}).",
                    remedy=f"Put a good one into {KEY}.",
                )
            if response.status_code not in (408, 409, 425, 429) and response.status_code < 500:
                raise EngineUnavailable(
                    f"the server of chat at {address} {said}: {response.text[:200].strip()}",
                    remedy="Mend `model` and `url` of the engine chat.",
                )
            wait = max(pause, _asked_wait(response))
        if pause:
            time.sleep(min(wait, _SLOWEST_S))
    raise EngineUnavailable(
        f"the server of chat at {address} {said}, {tries} times.", remedy="See whether it runs, then run again."
    )


def _heard(client: httpx.Client, address: str, body: Mapping[str, Any], timeout_s: float) -> httpx.Response:
    """A whole answer within its time, whether the server is silent or drips."""
    import httpx

    until = time.monotonic() + timeout_s
    data = bytearray()
    with client.stream("POST", address, json=body) as response:
        for chunk in response.iter_bytes():
            data += chunk
            if time.monotonic() > until:
                raise httpx.ReadTimeout("too slow")
            if len(data) > _LARGEST_BYTES:
                raise Unreadable
        asked = {"Retry-After": response.headers.get("Retry-After", "0")}
        return httpx.Response(response.status_code, headers=asked, content=bytes(data))


def _waits(tries: int) -> Iterator[float]:
    """Seconds to wait after each try: about twice as long each time, none alike; nothing after the last."""
    for number in range(tries):
        yield 0.0 if number == tries - 1 else 0.5 * 2**number * (0.5 + random.random())  # noqa: S311 - jitter


def _asked_wait(response: httpx.Response) -> float:
    """How long a busy server asks one to wait."""
    try:
        return float(response.headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise Unreadable from error
