"""The settings of what is explained, and when."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from auditor.model_settings import ModelSettings

SEVERITIES: Final = ("info", "warning", "critical")


class ExplainSettings(ModelSettings):
    """Which incidents a model is asked about."""

    explain_severity: Literal["info", "warning", "critical"] = Field(
        default="warning", description="The least severity of an incident that a model is asked about."
    )
    explain_after_minutes: float = Field(
        default=3.0,
        ge=0,
        le=60,
        description="Age of an incident at which a model is first asked about it: by then it has shown what it is.",
    )
    explain_storm: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="Where more incidents than this wait, one explanation tells of all of them.",
    )
    explain_backlog_minutes: float = Field(
        default=120.0,
        gt=0,
        le=10_080,
        description="Incidents that ended longer ago than this are not explained any more.",
    )

    @property
    def explained_severities(self) -> tuple[str, ...]:
        """The severities that a model is asked about."""
        return SEVERITIES[SEVERITIES.index(self.explain_severity) :]
