"""How much a text costs a model to read, without its tokenizer, and how a brief is cut until it fits."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LEAST_TOKENS: Final = 1500
"""The smallest size that a brief can always be cut to."""
MOST_TOKENS: Final = 4000
"""The size of a brief where nothing else is said."""

_PIECE: Final = re.compile(r"[A-Za-z]+|\d|\n|[^\sA-Za-z\d]")
_PLAIN_WORD: Final = 12


def estimated_tokens(text: str) -> int:
    """Tokens that a text takes, on the high side for the tokenizers in use.

    A word counts one token for each four letters, letters that are too many for a word one for each two, capitals and mixed
    case three for each four; a digit, a sign and a line break one each; other scripts as many as their bytes, but for one a letter.

    Notes
    -----
    Measured on the briefs and prompts of evals/, the vocabularies cl100k and o200k (OpenAI), Anthropic's and DeepSeek's take 0.6 to 0.75 of
    it. Vocabularies that keep each digit apart take more of those figures, which is why a digit counts one.
    """
    return sum(map(_cost, _PIECE.findall(text)))


@lru_cache(maxsize=4096)
def _cost(piece: str) -> int:
    if not piece.isascii():
        return max(1, len(piece.encode()) - 1)
    if len(piece) == 1:
        return 1
    if not (piece.islower() or piece.istitle()):
        return math.ceil(3 * len(piece) / 4)
    return math.ceil(len(piece) / (2 if len(piece) > _PLAIN_WORD else 4))


def as_text(data: Any) -> str:
    """The data as a brief writes it."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fitted(
    data: dict[str, Any], most_tokens: int, cuts: Iterable[Callable[[dict[str, Any]], bool]]
) -> dict[str, Any]:
    """The data, cut until its text is estimated to take at most so many tokens.

    Parameters
    ----------
    data
        What is to be told; changed in place.
    most_tokens
        The size; at least `LEAST_TOKENS`.
    cuts
        Tried in this order, each until there is nothing more that it can take away: it takes a little and says whether it did.

    Raises
    ------
    ValueError
        If `most_tokens` is less than every brief can be cut to.
    """
    if most_tokens < LEAST_TOKENS:
        raise ValueError(f"a brief needs room for at least {LEAST_TOKENS} tokens, not {most_tokens}")
    for cut in cuts:
        while estimated_tokens(as_text(data)) > most_tokens:
            if not cut(data):
                break
        else:
            return data
    return data


def emptied(name: str, nothing: Any) -> Callable[[dict[str, Any]], bool]:
    """A cut that leaves a part out altogether."""

    def cut(data: dict[str, Any]) -> bool:
        there = bool(data[name])
        data[name] = nothing
        return there

    return cut


def shortened(name: str, least: int) -> Callable[[dict[str, Any]], bool]:
    """A cut that takes the last entry off a list of more than `least`."""

    def cut(data: dict[str, Any]) -> bool:
        longer = len(data[name]) > least
        if longer:
            data[name] = data[name][:-1]
        return longer

    return cut
