"""From stored rows to the brief that a model is told: an allow-list of fields, redacted, rounded, and cut to a size; pure."""

from __future__ import annotations

from auditor.explanation.briefing.digest import digest_brief
from auditor.explanation.briefing.incident import incident_brief
from auditor.explanation.briefing.sizing import LEAST_TOKENS, MOST_TOKENS, estimated_tokens

__all__ = ["LEAST_TOKENS", "MOST_TOKENS", "digest_brief", "estimated_tokens", "incident_brief"]
