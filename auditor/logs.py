"""Structured logs: readable on a terminal, JSON lines everywhere else, secrets never."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Final, Literal

import stamina.instrumentation
import structlog

from auditor.redaction import redact

__all__ = ["configure_logging", "redact"]

_SECRET_NAME: Final = re.compile(
    r"password|secret|token$|api_?key|service_role|authorization|dsn|database_url|db_url", re.IGNORECASE
)
_LIBRARIES: Final = {
    "httpx": "WARNING",
    "httpcore": "WARNING",
    "httpx2": "WARNING",
    "httpcore2": "WARNING",
    "openai": "WARNING",
    "websockets": "WARNING",
    "realtime": "CRITICAL",
}
"""What libraries may log from which level on: a line for each request is noise, and Realtime's failures are told by its supervisor."""


def _without_secrets(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = redact(value)
    return event


def _tell_retry(details: stamina.instrumentation.RetryDetails) -> None:
    """The first of a row of tries is told; that the row was in vain is told by whoever gives up."""
    tell = (
        structlog.get_logger(__name__).info
        if details.retry_num == 1
        else structlog.get_logger(__name__).debug
    )
    tell("trying_again", reason=str(details.caused_by), again_in_seconds=round(details.wait_for, 2))


def configure_logging(level: str = "INFO", form: Literal["auto", "console", "json"] = "auto") -> None:
    """Send structlog's and the standard library's records to standard error in one form."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=False)
        if as_json
        else structlog.dev.ConsoleRenderer(pad_event_to=32)
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    stamina.instrumentation.set_on_retry_hooks([_tell_retry])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for library, least in _LIBRARIES.items():
        logging.getLogger(library).setLevel(max(number, logging.getLevelNamesMapping()[least]))
