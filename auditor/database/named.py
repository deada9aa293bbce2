"""The one row that somebody names by the beginning of its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from auditor.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST: Final = 4
"""Characters of an id that name it; with fewer a slip of the hand would name whatever matches."""


def only(rows: Sequence[dict[str, Any]], what: str, named: str) -> dict[str, Any]:
    """The row of the rows that were found under a name.

    Raises
    ------
    BadInput
        If there is none, or more than one.
    """
    if not rows and len(named) < SHORTEST:
        article = "an" if what[0] in "aeiou" else "a"
        raise BadInput(
            f"'{named}' is too short to name {article} {what}: give {SHORTEST} characters of its id or more."
        )
    if not rows:
        raise BadInput(f"There is no {what} {named}: name one by its id.")
    if len(rows) > 1:
        raise BadInput(f"More than one {what} begins with {named}: give more of its id.")
    return rows[0]
