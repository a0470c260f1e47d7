"""libespeak-ng in a process of its own: text in, sound with the time of every phoneme and word out.

Run by `voiceclone.cloner.speech_source` only. libespeak-ng is GPL-3, so nothing but this process ever loads it. It
needs the standard library alone, and ends with its parent: when standard input closes, and by the kernel's signal when
the parent dies in the middle of a sentence.

Each message on standard input and output is a 4-byte big-endian length and that many bytes.

    in   {"do": "voices"}                                              JSON
    out  {"voices": ["es", ...], "version": "1.51"}                    JSON
    in   {"do": "say", "text", "voice", "wpm", "pitch", "range"}       JSON
    out  {"rate", "phones": [[sample, ipa], ...], "words": [[sample, character, length], ...]}    JSON, then
    out  16-bit little-endian mono samples
    out  {"error": what is wrong, "kind": "missing" | "voice" | "broken"}         JSON, instead of either
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys
from typing import Any, BinaryIO

LONGEST = 64 << 20
"""Bytes in a message beyond which it is no message."""

_LIBRARY = "libespeak-ng.so.1"
_SYNCHRONOUS, _PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 2, 1, 2, 0x8000
_WORD, _PHONEME = 1, 7
_UTF8, _END_PAUSE = 1, 0x1000
_RATE, _PITCH, _RANGE = 1, 3, 4


class _Id(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Library:
    """libespeak-ng, set up to give sound and phonemes back. Raises OSError where it or its data is missing."""

    def __init__(self) -> None:
        self.library = library = ctypes.CDLL(_LIBRARY)
        library.espeak_SetSynthCallback.argtypes = [_Callback]
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        library.espeak_Info.restype = ctypes.c_char_p
        self.rate = int(library.espeak_Initialize(_SYNCHRONOUS, 500, None, _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT))
        if self.rate <= 0:
            raise OSError("espeak-ng's data is missing")
        self.sound: list[bytes] = []
        self.phones: list[tuple[int, str]] = []
        self.words: list[tuple[int, int, int]] = []
        self.callback = _Callback(self._receive)  # kept, or the library would call into freed memory
        library.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        index = 0
        while events[index].type != 0:
            event = events[index]
            if event.type == _PHONEME:
                address = ctypes.addressof(event.id)
                self.phones.append((event.sample, ctypes.string_at(address, 8).split(b"\0")[0].decode(errors="ignore")))
            elif event.type == _WORD:
                self.words.append((event.sample, event.text_position - 1, event.length))
            index += 1
        if samples and count > 0:
            self.sound.append(ctypes.string_at(samples, 2 * count))
        return 0

    def voices(self) -> list[str]:
        """The languages that there are voices for, less the one (1.51: Cherokee) that it lists and cannot find."""
        found: list[str] = []
        listed = self.library.espeak_ListVoices(None)
        index = 0
        while listed[index]:
            raw = listed[index].contents.languages
            # A list of entries, each a byte of priority and a string, ended by a priority of 0.
            while raw and ctypes.string_at(raw, 1) != b"\0":
                name = ctypes.string_at(raw + 1)
                found.append(name.decode(errors="ignore"))
                raw += len(name) + 2
            index += 1
        return sorted({name for name in found if name == name.lower()} - {"variant"})

    def _chosen(self, voice: str) -> bool:
        """Choose a voice by its name, else by a language that it says it speaks (`fr-fr` is said by `fr`)."""
        if self.library.espeak_SetVoiceByName(voice.encode()) == 0:
            return True
        if voice not in self.voices():
            return False  # by a language that it does not know, the library would choose English
        language = ctypes.create_string_buffer(voice.encode())
        wanted = _Voice(languages=ctypes.addressof(language))
        return self.library.espeak_SetVoiceByProperties(ctypes.byref(wanted)) == 0

    def say(self, text: str, voice: str, wpm: int, pitch: int, pitch_range: int) -> None:
        """Fill `sound`, `phones` and `words`. Raises LookupError for a voice that there is none of."""
        self.sound, self.phones, self.words = [], [], []
        if not self._chosen(voice):
            raise LookupError(f"espeak-ng has no voice {voice}")
        for parameter, value in ((_RATE, wpm), (_PITCH, pitch), (_RANGE, pitch_range)):
            self.library.espeak_SetParameter(parameter, value, 0)
        raw = text.encode() + b"\0"
        self.library.espeak_Synth(raw, len(raw), 0, 1, 0, _UTF8 | _END_PAUSE, None, None)
        self.library.espeak_Synchronize()


def answer(library: Library, request: dict[str, Any]) -> list[bytes]:
    """The messages that answer a request."""
    if request["do"] == "voices":
        version = library.library.espeak_Info(None).decode(errors="replace").split()[0]
        return [json.dumps({"voices": library.voices(), "version": version}).encode()]
    try:
        library.say(
            str(request["text"]),
            str(request["voice"]),
            int(request["wpm"]),
            int(request["pitch"]),
            int(request["range"]),
        )
    except LookupError as error:
        return [_wrong(str(error), "voice")]
    times = {"rate": library.rate, "phones": library.phones, "words": library.words}
    return [json.dumps(times).encode(), b"".join(library.sound)]


def _wrong(message: str, kind: str) -> bytes:
    return json.dumps({"error": message, "kind": kind}).encode()


def send(answers: BinaryIO, messages: list[bytes]) -> None:
    for message in messages:
        answers.write(struct.pack(">I", len(message)) + message)
    answers.flush()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Each is answered by a fork of this process, in which the library is new: it remembers what it said before, and says
    the same text a few samples longer or shorter afterwards. A text that breaks the library then breaks no other.
    """
    library: Library | None = None
    while len(header := requests.read(4)) == 4:
        (length,) = struct.unpack(">I", header)
        if length > LONGEST:
            return
        request = json.loads(requests.read(length))
        try:
            library = library or Library()
        except OSError as error:
            send(answers, [_wrong(str(error), "missing")])
            continue
        worker = os.getpid()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                end_with(worker)
                send(answers, answer(library, request))
                status = 0
            finally:
                os._exit(status)  # never back into the loop, whatever went wrong
        if os.waitpid(child, 0)[1] != 0:
            send(answers, [_wrong("espeak-ng broke at this text", "broken")])


def end_with(parent: int) -> None:
    """End this process when its parent does."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the line above


def main() -> None:
    end_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get among the answers
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
