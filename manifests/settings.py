"""What an operator sets for a machine or a folder: `dubflow.toml`, and the environment over it.

    workspace = "/srv/dub"              # DUB_WORKSPACE, --workspace
    models = "~/models"                 # DUB_MODELS
    profile = "embedded"                # DUB_PROFILE, --profile; here it is for manifests that name none
    log_format = "json"                 # DUB_LOG_FORMAT, --log-format
    consent = "/srv/consent"            # DUB_CONSENT     this and all below in the user's own file alone
    keys = "/etc/dubflow/keys"          # DUB_KEYS
    voices = "/srv/voices"              # DUB_VOICES      enrolments, where several machines share them
    store = "s3://bucket/dub"           # DUB_STORE       a folder or any address that fsspec understands
    cache_gb = 100                      # of a store at an address so much is kept here
    ledger = "postgresql+psycopg://…"   # DUB_LEDGER, DUB_LEDGER_FILE
    [signing]
    chain = "chain.pem"                 # DUB_SIGNING_CHAIN
    key = "key.pem"                     # DUB_SIGNING_KEY
    [statement]
    minutes = 15
    [notify]
    to = ["mailto://user:password@example.org?to=ops@example.org", "jsons://example.org/hook"]   # DUB_NOTIFY
    when = "trouble"                    # or "always"

Later over earlier, key by key: defaults, `dubflow.toml` in the user's configuration folder, the nearest `dubflow.toml`
upward from the manifest (else from the current folder), the environment, flags. Names in a file are relative to it.

Whom this machine believes (consents, keys, signers, when a statement counts), whom it tells and where it keeps what it
makes of voices is settled in the user's own file: a folder that came from elsewhere must not bring a consent registry
of its own, nor have the runs told about, nor the takes sent away.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from manifests.errors import Finding, ManifestError
from manifests.looking import asked_once

FILE: Final = "dubflow.toml"

ENVIRONMENT: Final[Mapping[tuple[str, ...], str]] = {
    ("workspace",): "DUB_WORKSPACE",
    ("models",): "DUB_MODELS",
    ("profile",): "DUB_PROFILE",
    ("consent",): "DUB_CONSENT",
    ("keys",): "DUB_KEYS",
    ("voices",): "DUB_VOICES",
    ("store",): "DUB_STORE",
    ("ledger",): "DUB_LEDGER",
    ("signing", "chain"): "DUB_SIGNING_CHAIN",
    ("signing", "key"): "DUB_SIGNING_KEY",
    ("log_format",): "DUB_LOG_FORMAT",
    ("notify", "to"): "DUB_NOTIFY",
}
"""Setting to the variable that wins over every file; an empty one counts as not set."""

_WORDS: Final = frozenset({("profile",), ("log_format",), ("notify", "to"), ("ledger",)})
"""Settings that have a variable and are no paths."""

OWN: Final = ("consent", "keys", "voices", "store", "cache_gb", "ledger", "signing", "statement", "notify")
"""What stands in the user's own file alone."""

LEDGER_FILE: Final = "DUB_LEDGER_FILE"
"""Names a file that holds the ledger's address: the secret of a container, say. `DUB_LEDGER` wins over it."""

_OWN_SAYS: Final = {
    "notify": "whom this machine tells",
    **dict.fromkeys(("voices", "store", "cache_gb", "ledger"), "where this machine keeps what it makes"),
}

_LARGEST_BYTES: Final = 1 << 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Signing(_Part):
    """The operator's certificate chain for content credentials, and its key."""

    chain: Path | None = None
    key: Path | None = None


class EncoderLimits(_Part):
    """Raw scores (cosines) of one speaker encoder, where there are not enough other voices to compare with."""

    match: float = Field(ge=0, le=1)
    """From here on two recordings are one voice."""
    review: float = Field(ge=0, le=1)
    """Below they are two; between, a human decides."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.review > self.match:
            raise ValueError("`review` is above `match`: nothing would be left to a human.")
        return self


class StatementLimits(_Part):
    """When a spoken statement counts."""

    minutes: int = Field(default=15, ge=1, le=1440)
    """How long a drawn sentence is good for."""
    words_match: float = Field(default=0.15, ge=0, le=0.3)
    """Word error rate of the sentence up to which it was said."""
    words_review: float = Field(default=0.40, ge=0, le=0.6)
    """Word error rate up to which a human decides."""
    false_accept: float = Field(default=0.001, gt=0, le=0.01)
    """Share of other people that may pass for the person, where a cohort says how alike people are."""
    false_review: float = Field(default=0.01, gt=0, le=0.1)
    """The same for other people that a human is asked about."""
    cohort_least: int = Field(default=8, ge=3)
    """Other voices that a cohort needs; fewer say nothing."""
    encoders: dict[str, EncoderLimits] = Field(default_factory=dict[str, EncoderLimits])
    """Limits of single encoders, by name, where their own are not wanted."""


class Notify(_Part):
    """Who is told how a run went; the addresses are Apprise's: `mailto://…`, `jsons://…` (a webhook), and many more."""

    to: tuple[str, ...] = ()
    when: Literal["always", "trouble"] = "always"
    """After every run, or only where a target is not done."""


class Settings(_Part):
    """Everything that can be set; None is the default that its user has."""

    workspace: Path | None = None
    models: Path | None = None
    profile: Literal["embedded", "studio"] | None = None
    consent: Path | None = None
    keys: Path | None = None
    voices: Path | None = None
    store: str | None = None
    """A folder, absolute, or an address such as `s3://bucket/prefix`."""
    cache_gb: float = Field(default=100.0, gt=0)
    """Gigabytes of a store at an address that a workspace keeps; what was asked for longest ago goes first."""
    ledger: str | None = Field(default=None, repr=False)
    """An SQLAlchemy URL; most hold a password."""
    signing: Signing = Signing()
    statement: StatementLimits = StatementLimits()
    log_format: Literal["text", "json"] | None = None
    notify: Notify = Notify()


def _question(folder: Path | None = None) -> Path | None:
    return folder


@asked_once(_question)
def of(folder: Path | None = None) -> Settings:
    """What holds for a folder (that of a manifest; the current one, if none is given).

    Raises ManifestError, with a finding a fault, where a file cannot be understood.
    """
    return _with_environment([_read(path, path == personal_file()) for path in files(folder)])


@asked_once(lambda: None)
def personal() -> Settings:
    """What holds wherever one is: the user's own file and the environment. Raises as `of` does."""
    path = personal_file()
    changed = path.stat().st_mtime_ns if path.is_file() else None
    found = _personal(path, changed, tuple(os.environ.get(name) for name in ENVIRONMENT.values()))
    if os.environ.get("DUB_LEDGER") or not (held := os.environ.get(LEDGER_FILE)):
        return found
    return found.model_copy(update={"ledger": _secret(Path(held))})


def is_address(place: str) -> bool:
    """Whether a store or a folder of finished files is an address (`s3://bucket/prefix`) and no path."""
    return re.match(r"[a-z][a-z0-9+.-]*://", place) is not None


@lru_cache(maxsize=8)
def _personal(path: Path, changed: int | None, environment: tuple[str | None, ...]) -> Settings:
    """Asked for every target of a library: read again where the file or the environment changed."""
    return _with_environment([_read(path, True)] if changed is not None else [])


def files(folder: Path | None = None) -> tuple[Path, ...]:
    """The files in force for a folder, the one that wins last."""
    own = personal_file()
    found = [own] if own.is_file() else []
    starts = [(folder or Path.cwd()).absolute(), Path.cwd()]
    nearest = next((path for start in starts for path in _upward(start) if path != own), None)
    return tuple([*found, nearest] if nearest else found)


def personal_file() -> Path:
    """Where the user's own file is, or would be."""
    return _personal_file(os.environ.get("XDG_CONFIG_HOME"), os.environ.get("HOME"))


@lru_cache(maxsize=8)
def _personal_file(*places: str | None) -> Path:
    """Asked for as often as `_personal`: found again where the variables that name it changed."""
    del places
    from platformdirs import user_config_path

    return user_config_path("dubflow", appauthor=False) / FILE


def asked_log_format() -> str | None:
    """The form of a run's log that the environment asks for."""
    return os.environ.get("DUB_LOG_FORMAT") or None


def asked_profile() -> str | None:
    """The profile that the environment asks for, which a manifest's own does not outweigh."""
    return os.environ.get("DUB_PROFILE") or None


def _upward(start: Path) -> Iterator[Path]:
    return (path for folder in (start, *start.parents) if (path := folder / FILE).is_file())


def _with_environment(layers: list[dict[str, Any]]) -> Settings:
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _over(merged, layer)
    for at, variable in ENVIRONMENT.items():
        if (value := os.environ.get(variable)) and (at not in _WORDS or at == ("ledger",)):
            put = value if at in _WORDS else _place(value, Path.cwd())
            merged = _over(merged, {at[0]: {at[1]: put} if at[1:] else put})
    if addresses := os.environ.get("DUB_NOTIFY", "").split():
        merged = _over(merged, {"notify": {"to": addresses}})
    return Settings.model_validate_json(json.dumps(merged), strict=True)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        merged[name] = _over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _read(path: Path, own: bool) -> dict[str, Any]:
    """A file's settings, checked, its paths absolute."""
    try:
        status = path.stat()
    except OSError as error:
        raise ManifestError([Finding(str(path), 1, f"cannot be read: {error.strerror}.")]) from error
    return _checked(path, own, (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=8)
def _checked(path: Path, own: bool, state: tuple[int, int, int]) -> dict[str, Any]:
    del state  # a changed file is read again
    text, data = _parsed(path)
    findings = [Finding(str(path), _line(text, at), message) for at, message in _faults(data, own)]
    if findings:
        raise ManifestError(sorted(set(findings), key=lambda finding: (finding.line, finding.message)))
    for at in ENVIRONMENT:
        table = data if len(at) == 1 else cast("dict[str, Any]", data.get(at[0], {}))
        if at[-1] in table and at not in _WORDS:
            table[at[-1]] = _place(table[at[-1]], path.absolute().parent)
    return data


def _place(value: str, beside: Path) -> str:
    """A path, absolute; an address as it is."""
    return value if is_address(value) else str((beside / Path(value).expanduser()).absolute())


def _secret(path: Path) -> str:
    """What a file holds in its one line. Raises ManifestError where it cannot be read or says nothing."""
    try:
        held = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ManifestError([Finding(str(path), 1, f"cannot be read, and {LEDGER_FILE} names it: {said}.")]) from error
    if not held:
        raise ManifestError(
            [Finding(str(path), 1, f"is empty, and {LEDGER_FILE} says that it holds the ledger's URL.")]
        )
    return held


def _parsed(path: Path) -> tuple[str, dict[str, Any]]:
    name, text = str(path), ""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ManifestError([Finding(name, 1, "this is far too large for settings.")])
        text = path.read_text(encoding="utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ManifestError([Finding(name, 1, "this is not text in UTF-8; save it as UTF-8.")]) from error
    except tomllib.TOMLDecodeError as error:
        said = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = int(said[2]) if said and said[2] else text.count("\n") + 1
        raise ManifestError([Finding(name, line, f"this is not TOML: {said[1] if said else error}.")]) from error
    except (OSError, RecursionError) as error:
        raise ManifestError([Finding(name, 1, f"cannot be read: {error}.")]) from error


def _faults(data: dict[str, Any], own: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    if not own:
        for name in OWN:
            if name in data:
                says = _OWN_SAYS.get(name, "whom this machine believes")
                yield (name,), f"`{name}` says {says}; it stands in {personal_file()} alone."
    try:
        Settings.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            at = tuple(str(step) for step in detail["loc"])
            yield at, _message(detail, at)


def _message(detail: ErrorDetails, at: tuple[str, ...]) -> str:
    from manifests.faults import nearest

    if at[:2] == ("notify", "to"):
        return "`to` is a list of addresses, each in quotes."  # and never shown: most hold a password
    name, value, context = at[-1], detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            said = f"unknown key `{name}`; {nearest(name, _known(at[:-1]))}"
        case "missing":
            said = f"`{name}` is missing."
        case "value_error":
            said = str(context["error"])
        case "literal_error":
            words = re.findall(r"'([^']*)'", context["expected"])
            said = f"`{name}` is {_shown(value)}; {nearest(str(value), words)}"
        case "greater_than_equal" | "greater_than":
            bound = f"at least {context['ge']:g}" if "ge" in context else f"more than {context['gt']:g}"
            said = f"`{name}` is {value}; it is {bound}."
        case "less_than_equal":
            said = f"`{name}` is {value}; it is at most {context['le']:g}."
        case kind:
            right = {"int": "a whole number", "float": "a number", "finite": "a number"}
            right |= dict.fromkeys(("model", "dict"), "a table of keys")
            said = f"`{name}` is {_shown(value)}; it is {right.get(kind.partition('_')[0], 'text in quotes')}."
    return said


def _known(at: tuple[str, ...]) -> list[str]:
    """The keys of a table."""
    if at[:2] == ("statement", "encoders"):
        return list(EncoderLimits.model_fields)
    parts: dict[tuple[str, ...], type[_Part]] = {
        (): Settings,
        ("signing",): Signing,
        ("statement",): StatementLimits,
        ("notify",): Notify,
    }
    return list(parts[at].model_fields)


def _shown(value: Any) -> str:
    return "a table" if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)


def _line(text: str, at: tuple[str, ...]) -> int:
    """Where a key stands: its own line, else that of the nearest table around it; tomllib keeps no lines."""
    found, depth, table = 1, 0, tuple[str, ...]()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = _keys(header[1])
            place = table
        elif entry := re.match(
            r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=", line
        ):
            place = table + _keys(entry[1])
        else:
            continue
        shared = min(len(place), len(at))
        if place[:shared] == at[:shared] and shared > depth:
            found, depth = number, shared
    return found


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(r"[\w-]+|\"[^\"]*\"|'[^']*'", dotted))
