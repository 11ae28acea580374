"""From integrations.yaml to the settings of a service."""

from __future__ import annotations

from pathlib import Path

from watchkeeper.controls import ServiceSettings
from watchkeeper.controls.file_settings import FileServiceSettings
from watchkeeper.controls.http_settings import HttpServiceSettings
from watchkeeper.credentials.reading import KeyReader
from watchkeeper.credentials.references import open_source
from watchkeeper.runbook.acting import FileSettings, SettingsSpec


def open_settings(spec: SettingsSpec, base: Path) -> ServiceSettings:
    """Asks nothing yet; relative paths, and those of secrets, count from `base`.

    Raises UserError on a kind of reference that is not known.
    """
    if isinstance(spec, FileSettings):
        return FileServiceSettings(spec, base / Path(spec.path).expanduser())
    token = (
        None if spec.token is None else KeyReader(spec.token, open_source(spec.token, base).read)
    )
    return HttpServiceSettings(spec, token)
