"""`<em>…</em>` in a line: words that are to be spoken with emphasis.

A line's text keeps its tags wherever it is worked on, as a linguist writes them. Voices obey them; subtitles and the
record show the words without them (`plain`).
"""

from __future__ import annotations

import re

from manifests.errors import InputError

_TAG = re.compile(r"</?em>", re.IGNORECASE)
_PAIR = re.compile(r"<em>(.*?)</em>", re.IGNORECASE | re.DOTALL)


def plain(text: str) -> str:
    """A text as it is shown: without tags, even where they do not pair up."""
    return _TAG.sub("", text)


def words(text: str) -> tuple[str, ...]:
    """What stands between tags that pair up."""
    return tuple(_PAIR.findall(text))


def parsed(text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A text without its tags, and the places (first character, character after) that stood between them.

    Raises InputError where a tag is not closed, not opened, or stands within another.
    """
    shown = ""
    emphasized: list[tuple[int, int]] = []
    opened: int | None = None
    after = 0
    for tag in _TAG.finditer(text):
        shown += text[after : tag.start()]
        after = tag.end()
        closing = tag.group().startswith("</")
        if closing == (opened is None):
            raise InputError(
                f"the <em> in {text[:60]!r} does not pair up.", remedy="Write <em>word</em>, never one in another."
            )
        if opened is not None:
            emphasized.append((opened, len(shown)))
        opened = None if closing else len(shown)
    if opened is not None:
        raise InputError(f"the <em> in {text[:60]!r} is not closed.", remedy="Write <em>word</em>.")
    return shown + text[after:], tuple(emphasized)
