"""What may be quoted of a server: its name in sentences, and a piece of what it says without secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from auditor.redaction import redact

if TYPE_CHECKING:
    from auditor.model.options import ModelOptions

QUOTED: Final = 160
"""The most characters that are quoted of what a server says."""

SHORTEST_SECRET: Final = 6
"""A shorter key is a placeholder; blanking it out would only tear holes into words."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server and its model as messages name them."""

    model: str
    place: str
    secret: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.model} at {self.place}"

    def quote(self, said: Any) -> str:
        """What the server said as the tail of a sentence, ` (said: …)`: one short line without secrets; or empty."""
        if not isinstance(said, str):
            return ""
        if len(self.secret) >= SHORTEST_SECRET:
            said = said.replace(self.secret, "***")
        line = redact(re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", said)).strip()
        shown = f"{line[: QUOTED - 1]}…" if len(line) > QUOTED else line
        return f" (it says: {shown.rstrip('.')})" if shown else ""


def server_of(options: ModelOptions) -> Server:
    """The server of these options."""
    return Server(model=options.model, place=options.place, secret=options.secret)
