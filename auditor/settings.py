"""Every setting: read once from the environment and the file named by AUDITOR_CONFIG into one frozen value."""

from __future__ import annotations

import difflib
import os
import re
import socket
import tomllib
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from auditor.detection.policy import Floor, Policy
from auditor.errors import BadInput
from auditor.explain_settings import ExplainSettings

PREFIX: Final = "AUDITOR_"
_BESIDE_FIELDS: Final = frozenset({"AUDITOR_CONFIG"})
_BEYOND_ADDRESS: Final = re.compile(
    r"/(?:rest|auth|realtime|storage|functions)/v1|//(?:www\.|app\.)?supabase\.com"
)


def _alias(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(ExplainSettings):
    """The auditor's settings; each field is AUDITOR_<NAME> in the environment and <name> in the file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, populate_by_name=True
    )

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias=_alias("AUDITOR_DATABASE_URL", "SUPABASE_DB_URL", "database_url"),
        description="PostgreSQL connection string; without one the embedded server is used.",
    )
    supabase_url: str | None = Field(
        default=None,
        validation_alias=_alias("SUPABASE_URL", "supabase_url"),
        description="The Supabase project's address; with its key the auditor works through its API.",
    )
    supabase_key: SecretStr | None = Field(
        default=None,
        validation_alias=_alias("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY", "supabase_key"),
        description="The project's service_role key (a JWT) or its sb_secret_ key.",
    )
    realtime: bool = Field(
        default=True, description="Whether Realtime may wake the auditor; polls do in any case."
    )
    realtime_channel: str = Field(
        default="cache-metrics",
        min_length=1,
        max_length=255,
        description="Channel of the aggregator's broadcasts.",
    )
    realtime_event: str = Field(
        default="cache-update",
        min_length=1,
        max_length=255,
        description="Event of the aggregator's broadcasts.",
    )
    realtime_private: bool = Field(default=False, description="Whether that channel is private.")
    realtime_changes: bool = Field(
        default=True, description="Whether changes of cache_metrics_1min wake the auditor too."
    )
    canary_seconds: float = Field(
        default=15.0,
        gt=0,
        le=300,
        description="Time between two broadcasts by which Realtime is proved alive.",
    )
    embedded_dir: Path = Field(
        default=Path("~/.local/share/cache-auditor/postgres"),
        description="Folder of the embedded server's data.",
    )
    flush_interval: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        validation_alias=_alias("CACHE_METRICS_FLUSH_INTERVAL", "flush_interval"),
        description="The collectors' flush interval in seconds.",
    )
    settle_seconds: float | None = Field(
        default=None,
        ge=0,
        le=3600,
        description="Seconds after its end until a minute is settled; by default the flush interval + 15.",
    )
    poll_seconds: float = Field(
        default=15.0, gt=0, le=600, description="The longest wait between two looks at the database."
    )
    lease_seconds: int = Field(
        default=60, ge=2, le=3600, description="How long a silent auditor keeps its caches."
    )
    max_caches: int = Field(default=10_000, ge=1, description="The most caches one auditor takes on.")
    worker: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}",
        min_length=1,
        max_length=128,
        description="This auditor's name in leases and logs.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of the Prometheus metrics at /metrics; without one there are none.",
    )
    heartbeat_file: Path | None = Field(
        default=None, description="Touched after every turn; the container's health check reads its age."
    )
    false_alarms_per_week: float = Field(
        default=1.0, gt=0, le=1000, description="The false-alarm budget of each cache."
    )
    hit_rate_warning: float = Field(
        default=10.0, gt=0, le=100, description="Relative drop of the hit rate, in percent, that warns."
    )
    hit_rate_critical: float = Field(
        default=20.0, gt=0, le=100, description="Relative drop of the hit rate, in percent, that is critical."
    )
    response_time_warning: float = Field(
        default=25.0, gt=0, description="Rise of a response time, in percent, that warns."
    )
    response_time_critical: float = Field(
        default=50.0, gt=0, description="Rise of a response time, in percent, that is critical."
    )
    hit_response_time_warning: float = Field(
        default=100.0,
        gt=0,
        description="Rise of the hits' average response time, in percent, that warns, if it is a millisecond at least.",
    )
    hit_response_time_critical: float = Field(
        default=300.0,
        gt=0,
        description="Rise of the hits' average response time, in percent, that is critical.",
    )
    error_rate_warning: float = Field(
        default=1.0, gt=0, le=100, description="Rise of the error rate, in percentage points, that warns."
    )
    error_rate_critical: float = Field(
        default=5.0,
        gt=0,
        le=100,
        description="Rise of the error rate, in percentage points, that is critical.",
    )
    resolve_after_minutes: int = Field(
        default=10, ge=1, le=1440, description="Quiet minutes that resolve an incident."
    )
    reopen_within_minutes: int = Field(
        default=30,
        ge=0,
        le=1440,
        description="Minutes within which a finding reopens a resolved incident that had warned of its metric.",
    )
    cost_per_miss: float = Field(
        default=0.0, ge=0, description="Money for one call to the backend; 0 leaves money out."
    )
    prompts_dir: Path | None = Field(
        default=None,
        description="Folder of edited prompts, one file for each purpose; by default those that came with the auditor.",
    )
    prompt_excerpts: bool = Field(
        default=True,
        description="Whether redacted cache keys and error messages may be shown to the model.",
    )
    events_days: int = Field(default=7, ge=1, description="Days that raw events are kept.")
    minutes_days: int = Field(
        default=30, ge=1, description="Days that one-minute windows and the ledger are kept."
    )
    hours_days: int = Field(default=365, ge=1, description="Days that one-hour windows are kept.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO",
        validation_alias=_alias("LOG_LEVEL", "log_level"),
        description="The least level that is logged.",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto",
        validation_alias=_alias("LOG_FORMAT", "log_format"),
        description="auto: readable on a terminal, JSON lines elsewhere.",
    )

    @field_validator("supabase_url")
    @classmethod
    def _check_address(cls, given: str | None) -> str | None:
        url = (given or "").strip().rstrip("/")
        if url and not _is_address(url):
            raise PydanticCustomError(
                "no_address",
                "give the project's address and nothing beyond it, such as https://PROJECT.supabase.co",
            )
        return url or None

    @field_validator("supabase_key")
    @classmethod
    def _check_characters(cls, given: SecretStr | None) -> SecretStr | None:
        key = "" if given is None else given.get_secret_value().strip()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise PydanticCustomError(
                "no_key", "it holds a line break or another character that no key has: copy the key anew"
            )
        return SecretStr(key) if key else None

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        if self.supabase_url is not None and self.supabase_key is None:
            raise PydanticCustomError(
                "key_missing", "SUPABASE_URL is set without SUPABASE_SERVICE_ROLE_KEY: set both, or neither"
            )
        key = "" if self.supabase_key is None else self.supabase_key.get_secret_value()
        if key.startswith("sb_publishable_"):
            raise PydanticCustomError(
                "key_public",
                "SUPABASE_SERVICE_ROLE_KEY holds a publishable key, which may read nothing: use the service_role or an "
                "sb_secret_ key",
            )
        return self

    @property
    def settle(self) -> float:
        """Seconds after a minute's end until it is settled."""
        return self.flush_interval + 15.0 if self.settle_seconds is None else self.settle_seconds

    @property
    def policy(self) -> Policy:
        """The part that detection reads."""
        return Policy(
            false_alarms_per_week=self.false_alarms_per_week,
            hit_rate=Floor(self.hit_rate_warning / 100, self.hit_rate_critical / 100),
            response_time=Floor(self.response_time_warning / 100, self.response_time_critical / 100),
            hit_response_time=Floor(
                self.hit_response_time_warning / 100, self.hit_response_time_critical / 100
            ),
            error_rate=Floor(self.error_rate_warning / 100, self.error_rate_critical / 100),
            resolve_after_minutes=self.resolve_after_minutes,
            reopen_within_minutes=self.reopen_within_minutes,
            cost_per_miss=self.cost_per_miss,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file named by AUDITOR_CONFIG."""
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        named = os.environ.get("AUDITOR_CONFIG")
        if named:
            sources.append(TomlConfigSettingsSource(settings_cls, toml_file=Path(named)))
        return tuple(sources)


def read_settings(**overrides: Any) -> Settings:
    """Read and check every setting.

    Raises
    ------
    BadInput
        If a name is unknown, a value is out of range, or the file cannot be read; the message names it.
    """
    _refuse_unknown_names()
    _check_file()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # of several settings together: the sentence names them
            raise BadInput(f"{first['msg']}.") from None
        name = str(first["loc"][0])
        shown = name if name.isupper() else f"{PREFIX}{name.upper()}"
        if first["type"] == "extra_forbidden":
            raise BadInput(
                f"The settings file has an unknown name {name}{_nearest(name, set(Settings.model_fields))}."
            ) from None
        raise BadInput(f"{shown} is not usable: {first['msg'][:1].lower()}{first['msg'][1:]}.") from None


def _is_address(url: str) -> bool:
    """Whether it is a project's address: http or https, a host, perhaps a port and a path, and no API's own path."""
    try:
        parts = urlsplit(url)
        plain = parts.port != 0 and parts._replace(scheme="", netloc="", path="").geturl() == ""
    except ValueError:  # a port or an IPv6 address that is none
        return False
    whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    return whole and plain and not re.search(r"\s", url) and not _BEYOND_ADDRESS.search(url)


def _refuse_unknown_names() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | _BESIDE_FIELDS
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            raise BadInput(f"{name} is not a setting{_nearest(name, known)}.")


def _nearest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}" if close else "; unset it, or see docs/operations.md for the names"


def _check_file() -> None:
    named = os.environ.get("AUDITOR_CONFIG")
    if not named:
        return
    try:
        tomllib.loads(Path(named).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"AUDITOR_CONFIG names {named}, which cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"AUDITOR_CONFIG names {named}, which is not valid TOML: {error}.") from None
