"""The recorded incidents: read from their folders, each with what a good answer says of it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from auditor.detection.signature import CAUSES
from auditor.errors import BadInput
from auditor.evaluation.grading import Expectation
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.briefing import MOST_TOKENS, digest_brief, incident_brief

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RECORDED: Final = "recorded.json"
EXPECTED: Final = "expect.toml"


class _Expect(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    why: str = Field(min_length=1)
    causes: list[str] = Field(default_factory=list)
    severity: Literal["info", "warning", "critical"] | None = None
    must_mention: list[list[str]] = Field(default_factory=list)
    must_not_mention: list[str] = Field(default_factory=list)
    longest: int = Field(default=2000, ge=1)

    @field_validator("causes")
    @classmethod
    def _known(cls, causes: list[str]) -> list[str]:
        for cause in causes:
            if cause not in CAUSES:
                raise ValueError(f"there is no cause {cause}")
        return causes


@dataclass(frozen=True, slots=True)
class RecordedIncident:
    """An incident (or a day) as it was recorded; `recorded` is the file's JSON."""

    name: str
    purpose: Purpose
    recorded: dict[str, Any]
    expected: Expectation

    def brief(self, *, excerpts: bool = True, most_tokens: int = MOST_TOKENS) -> Brief:
        """What a model is told of it, made as the service makes it."""
        held = self.recorded
        if self.purpose is Purpose.DAILY_DIGEST:
            return digest_brief(
                held["rows"],
                start=held["start"],
                end=held["end"],
                coverage=held["coverage"],
                most_tokens=most_tokens,
            )
        around = {name: held[name] for name in ("hour", "errors", "keys", "past", "others")}
        return incident_brief(
            held["rows"],
            **around,
            as_of=held["as_of"],
            purpose=self.purpose,
            excerpts=excerpts,
            most_tokens=most_tokens,
        )


def read_incidents(folder: Path, only: Sequence[str] = ()) -> list[RecordedIncident]:
    """The incidents of a folder in the order of their names; with `only` those named.

    Raises
    ------
    BadInput
        If there are none, one that is named is not there, or a file cannot be used; the message names it.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder of recorded incidents at {folder}.")
    names = sorted(path.name for path in folder.iterdir() if (path / RECORDED).is_file())
    unknown = [name for name in only if name not in names]
    if unknown:
        raise BadInput(
            f"There is no recorded incident {unknown[0]} in {folder}: choose from {', '.join(names)}."
        )
    chosen = [name for name in names if not only or name in only]
    if not chosen:
        raise BadInput(f"There are no recorded incidents in {folder}.")
    return [_read(folder / name) for name in chosen]


def _read(folder: Path) -> RecordedIncident:
    try:
        recorded = json.loads((folder / RECORDED).read_text(encoding="utf-8"))
        expected = _Expect.model_validate(tomllib.loads((folder / EXPECTED).read_text(encoding="utf-8")))
        incident = RecordedIncident(
            folder.name, Purpose(recorded["purpose"]), recorded, _expectation(expected)
        )
        incident.brief()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{folder / EXPECTED} is not usable: {where}: {first['msg']}.") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise BadInput(
            f"The recorded incident {folder} is not usable: {type(error).__name__}, {said}."
        ) from None
    return incident


def _expectation(expect: _Expect) -> Expectation:
    return Expectation(
        why=expect.why,
        causes=tuple(expect.causes),
        severity=expect.severity,
        must_mention=tuple(tuple(choice) for choice in expect.must_mention),
        must_not_mention=tuple(expect.must_not_mention),
        longest=expect.longest,
    )
