"""Settings from `WATCHKEEPER_*`, read once at the edge and handed down as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where state lives and how often the clocks tick; durations in seconds."""

    model_config = SettingsConfigDict(env_prefix="WATCHKEEPER_", frozen=True, extra="ignore")

    home: Path = Path(".watchkeeper")
    database_url: SecretStr | None = None
    integrations: Path = Path("integrations.yaml")
    runbooks: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=4200, ge=0, le=65535)
    public_url: str | None = None
    prefect_database_url: SecretStr | None = None
    health_interval_s: float = Field(default=300, gt=0)
    sync_interval_s: float = Field(default=900, gt=0)
    sweep_interval_s: float = Field(default=15, gt=0)
    responder_lease_s: float = Field(default=60, gt=0)
    responder_start_s: float = Field(default=120, gt=0)
    heartbeat: str | None = None
    heartbeat_form: Literal["healthchecks", "alertmanager"] = "healthchecks"
    prefect_away_s: float = Field(default=300, ge=0)
    settle_inline_s: float = Field(default=60, ge=0)
    at_once: int | None = Field(default=None, ge=1, le=1000)
    observations_kept_days: int = Field(default=90, ge=1, le=36500)
    failpoints: bool = False

    @field_validator("home", "integrations", "runbooks", mode="before")
    @classmethod
    def _is_a_path(cls, given: object) -> object:
        """An empty text would be the folder that the command happens to be called in."""
        if given == "" or (isinstance(given, str) and "\x00" in given):
            raise ValueError("a path is wanted; leave the variable out for the usual one")
        return given

    @property
    def sqlite_path(self) -> Path:
        return self.home / "watchkeeper.db"

    @property
    def database(self) -> str:
        """The URL of our database; the secret value never leaves the engine."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.sqlite_path}"

    @property
    def halt_file(self) -> Path:
        return self.home / "HALT"

    @property
    def reports(self) -> Path:
        return self.home / "reports"
