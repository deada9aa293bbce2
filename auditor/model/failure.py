"""The one error of a model call: a typed reason, when to come back, and a sentence that names the mend and no secret."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from auditor.model.exchange import Usage


class Reason(StrEnum):
    """Why there is no answer; each is a label of the metrics and `explanation.checks.failure` of a row."""

    TIMEOUT = "timeout"
    """The deadline passed while the server was at it."""
    BUSY = "busy"
    """The deadline passed while other calls held every slot."""
    UNREACHABLE = "unreachable"
    """No connection, or one that broke before an answer began."""
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    """The account has no money left; waiting does not help."""
    SERVER_ERROR = "server_error"
    NOT_JSON = "not_json"
    """Something else than JSON, a web page for the most part."""
    TRUNCATED = "truncated"
    """An answer that began and broke off."""
    MALFORMED = "malformed"
    """JSON of another shape than a chat completion, or a reply of another shape than was asked for."""
    EMPTY = "empty"
    TOOL_CALLS = "tool_calls"
    """The model called a tool, and it has none."""
    REFUSAL = "refusal"
    LENGTH = "length"
    """The answer was cut at the limit of tokens."""
    CONTENT_FILTER = "content_filter"
    UNAUTHORISED = "unauthorised"
    NOT_FOUND = "not_found"
    """No such model or path."""
    TOO_LONG = "too_long"
    """The prompt does not fit the model's context."""
    TOO_LARGE = "too_large"
    """An answer of more bytes than any answer can have."""
    BAD_REQUEST = "bad_request"
    CIRCUIT_OPEN = "circuit_open"
    """Not called: the server has failed too often."""
    INTERNAL = "internal"
    """A fault of the auditor's own, in a prompt or in the checks; the log has it."""


RETRIED: Final = frozenset({Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.SERVER_ERROR})
"""What is tried again within the deadline. What may already have been billed is not among them."""

NOT_REACHED: Final = frozenset({Reason.UNREACHABLE, Reason.CIRCUIT_OPEN})
"""What a command ends with exit code 3 for: the server never had the question."""

SERVERS_FAULT: Final = frozenset(
    {
        Reason.TIMEOUT,
        Reason.UNREACHABLE,
        Reason.RATE_LIMITED,
        Reason.QUOTA,
        Reason.SERVER_ERROR,
        Reason.NOT_JSON,
        Reason.TRUNCATED,
        Reason.MALFORMED,
        Reason.UNAUTHORISED,
        Reason.NOT_FOUND,
        Reason.TOO_LARGE,
    }
)
"""What another prompt would meet as well: these open the circuit breaker."""

MAY_BE_BILLED: Final = frozenset({Reason.TIMEOUT, Reason.TRUNCATED, Reason.TOO_LARGE})
"""The server may have charged for these although it told no usage."""


class ModelFailure(Exception):  # noqa: N818 - named for what it is to the caller: an outcome
    """A call that brought no usable answer.

    Parameters
    ----------
    reason
        The type of the failure.
    message
        One line that names the server and the mend; never a key, never the prompt.
    retry_after
        Seconds until another call makes sense, where that is known.
    usage
        What the server says it has charged for, where it does.
    names
        What a refused request's error names, in lower case: parameter, code, type and message, for the ladder alone.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retry_after: float | None = None,
        usage: Usage | None = None,
        names: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.usage = usage
        self.names = names

    @property
    def may_be_billed(self) -> bool:
        """Whether money may have been spent: it is known, or the answer broke off after the server had the prompt."""
        return self.usage is not None or self.reason in MAY_BE_BILLED
