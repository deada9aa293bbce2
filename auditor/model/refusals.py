"""An error that the server tells, by its status or in a body of status 200, as a typed failure."""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from auditor.model.failure import ModelFailure, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.model.told import Server

LONGEST_WAIT: Final = 7 * 86_400.0
"""A longer Retry-After is nonsense and taken as a week."""

_QUOTA_CODES: Final = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "exceeded_current_quota_error",  # Kimi
        "insufficient_balance",
        "budget_exceeded",  # LiteLLM
        "1113",  # GLM
    }
)
_QUOTA_TEXT: Final = re.compile(
    r"exceeded your current quota|insufficient (?:account )?balance|余额不足|budget has been exceeded",
    re.IGNORECASE,
)
_FILTER_CODES: Final = frozenset({"content_filter", "content_policy_violation", "1301"})
_TOO_LONG: Final = re.compile(
    r"context[_ ](?:length|window)|maximum (?:context|prompt) length|too many (?:input )?tokens|prompt is too long|"
    r"max_(?:completion_)?tokens\W+is too large",
    re.IGNORECASE,
)
_NO_MODEL: Final = re.compile(
    r"model\b.{0,80}\b(?:not found|does not exist|not exist)|invalid model|unknown model|model_not_found",
    re.IGNORECASE | re.DOTALL,
)


def failure_of_status(status: int, body: Any, headers: Mapping[str, str], server: Server) -> ModelFailure:
    """The failure of an answer with a status outside 200 to 299.

    Parameters
    ----------
    status
        The HTTP status.
    body
        Its body: parsed JSON, or text.
    headers
        By names in lower case.
    server
        Named in the message.
    """
    failure = _failure(status, _error(body), headers, server)
    failure.retry_after = retry_after(headers)
    return failure


def failure_of_error(error: Any, server: Server) -> ModelFailure:
    """The failure of an error object in a body of status 200; its code may be the status that was meant."""
    said = _error(error)
    code = said["code"]
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 500
    return _failure(status, said, {}, server)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by Retry-After-Ms and Retry-After (RFC 9110, section 10.2.3); None where there are none.

    A date is measured against the server's own Date header, so that no clock of ours comes into it.
    """
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / divisor
        except ValueError:
            continue
        if not math.isnan(seconds):
            return min(max(seconds, 0.0), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(headers.get("retry-after", "")).timestamp()
        since = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return min(max(until - since, 0.0), LONGEST_WAIT)


def _error(body: Any) -> dict[str, str]:
    """Code, type, parameter and message as texts, from the shapes that servers use."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        message = error.get("message", error.get("detail", error.get("msg")))
        told = {name: _plain(error.get(name)) for name in ("code", "type", "param")}
        return {**told, "message": _plain(message)}
    shown = "" if isinstance(error, str) and error.lstrip().startswith("<") else _plain(error)
    return {"code": "", "type": "", "param": "", "message": shown}


def _plain(value: Any) -> str:
    """A text of bounded length; numbers become text, and lists as FastAPI's validation sends them too."""
    if value is None or isinstance(value, bool):
        return ""
    try:
        return str(value)[:4000]
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list nested as deep
        return ""


def _failure(
    status: int, said: Mapping[str, str], headers: Mapping[str, str], server: Server
) -> ModelFailure:
    reason = _reason(status, said, headers)
    message = _MESSAGES[reason].format(server=server, status=status, said=server.quote(said["message"]))
    return ModelFailure(reason, message, names=" ".join(said.values()).lower())


def _reason(status: int, said: Mapping[str, str], headers: Mapping[str, str]) -> Reason:
    codes = {said["code"].lower(), said["type"].lower()}
    text = f"{said['code']} {said['message']}"
    answers = (
        (Reason.QUOTA, bool(codes & _QUOTA_CODES) or status == 402 or _is_quota(said, headers)),
        (Reason.UNAUTHORISED, status in {401, 403, 407}),
        (Reason.RATE_LIMITED, status == 429),
        (Reason.SERVER_ERROR, status >= 500 or status in {408, 409, 425}),
        (Reason.CONTENT_FILTER, bool(codes & _FILTER_CODES)),
        (Reason.TOO_LONG, status == 413 or bool(_TOO_LONG.search(text))),
        (Reason.NOT_FOUND, status in {404, 405, 410} or status < 400 or bool(_NO_MODEL.search(text))),
    )
    return next((reason for reason, holds in answers if holds), Reason.BAD_REQUEST)


def _is_quota(said: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """Gemini words a limit per minute like an empty account, but says when to come back."""
    return bool(_QUOTA_TEXT.search(said["message"])) and retry_after(headers) is None


_MESSAGES: Final[Mapping[Reason, str]] = {
    Reason.QUOTA: "The account for {server} has no money or quota left{said}: add credit, or name another server.",
    # what it says of a refused key may hold a piece of it, and is left out
    Reason.UNAUTHORISED: "{server} refuses the key (status {status}): mend OPENAI_API_KEY, or what that key may use.",
    Reason.RATE_LIMITED: "{server} is asked too often{said}: lower AUDITOR_MODEL_CALLS_PER_HOUR, or raise the account's limits.",
    Reason.SERVER_ERROR: "{server} failed with status {status}{said}: look at its log or its status page.",
    Reason.CONTENT_FILTER: "The content filter of {server} refused the prompt{said}: leave keys and error messages out of it.",
    Reason.TOO_LONG: "The prompt does not fit {server}{said}: use a model with a longer context.",
    Reason.NOT_FOUND: "{server} is not there (status {status}){said}: mend AUDITOR_MODEL, or the path of OPENAI_BASE_URL.",
    Reason.BAD_REQUEST: "{server} does not take the request (status {status}){said}: is it a chat model, and is AUDITOR_MODEL_API_VERSION right?",
}
