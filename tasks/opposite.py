"""Two sequences of words laid beside each other: what is written and what was heard.

First exactly, by the least number of words that differ; then, between words that agree, each written one beside the
heard one that looks most like it. The least number alone leaves it open beside which of the heard ones a misheard word
lies, and with captions that end before the sound does the last word would be said where the sound ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LARGEST = 4_000_000  # pairs of words that are compared by their letters; captions of something else have more
_BESIDE = 0.2  # what it is worth to lie beside the word that lies beside a word that agrees


def opposite(written: Sequence[str], heard: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of each written word, the index of the heard word opposite to it, and whether the two are the same.

    The index is a half where a word lies between two heard ones. It never falls.
    """
    from rapidfuzz.distance import Levenshtein

    place, same = np.zeros(len(written)), np.zeros(len(written), bool)
    at = beside = 0
    for block in Levenshtein.editops(written, heard).as_matching_blocks():
        first, end = (at, beside), (block.a, block.b)
        place[at : block.a] = _between(written, heard, first, end, anchored=(at > 0, block.size > 0))
        at, beside = block.a + block.size, block.b + block.size
        place[block.a : at] = np.arange(block.b, beside)
        same[block.a : at] = True
    return place, same


def _between(
    written: Sequence[str],
    heard: Sequence[str],
    first: tuple[int, int],
    end: tuple[int, int],
    *,
    anchored: tuple[bool, bool],
) -> NDArray[np.float64]:
    """The places of written words between two that agree; `anchored` says on which sides there is one."""
    from rapidfuzz.distance import Indel
    from rapidfuzz.process import cdist

    rows, columns = end[0] - first[0], end[1] - first[1]
    if not rows or not columns:
        return np.full(rows, first[1] - 0.5)
    if rows * columns > _LARGEST or rows == columns:
        return np.minimum(first[1] + np.arange(rows), end[1] - 0.5)
    like = cdist(written[first[0] : end[0]], heard[first[1] : end[1]], scorer=Indel.normalized_similarity)
    like[0, 0] += _BESIDE * anchored[0]
    like[-1, -1] += _BESIDE * anchored[1]
    return _most_alike(like.astype(np.float64)) + first[1]


def _most_alike(like: NDArray[np.float64]) -> NDArray[np.float64]:
    """A column for each row, never falling, so that as many rows as possible have one and these are together the most
    alike; a row without one lies half a place before the next column."""
    rows, columns = like.shape
    best = np.zeros((rows + 1, columns + 1))  # of so many rows and columns
    for row in range(rows):
        # whether two words look alike never outweighs that a word has one at all
        paired = best[row, :-1] + 2.0 + like[row]
        best[row + 1, 1:] = np.maximum.accumulate(np.maximum(paired, best[row, 1:]))
    places = np.zeros(rows)
    column = columns
    for row in range(rows - 1, -1, -1):
        while column and best[row + 1, column] == best[row + 1, column - 1]:
            column -= 1
        if column and best[row + 1, column] > best[row, column]:
            column -= 1
            places[row] = column
        else:
            places[row] = column - 0.5
    return places
