"""What a service serves: a folder with a bundle and the settings with which it judges.

::

    served/
        service.json    the settings: ServedSettings
        bundle/         the bundle, tried on the computer that packaged it
        .tried/         its checksum, so that it is trusted
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from providers.base import TASKS, Provider, ProviderMisconfigured, Task
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.provider import LocalCnn
from providers.options import Options
from triof.common.errors import TriofError
from triof.judging.router import Router
from triof.judging.sorter import Sorter
from triof.settings.sections.api import ApiSettings
from triof.settings.sections.photo import PhotoLimits
from triof.settings.sections.policy import Policy

SETTINGS_FILE, BUNDLE_FOLDER = "service.json", "bundle"


class ServedFolderUnusable(TriofError):
    """The folder with bundle and settings is missing or damaged."""


class ServedSettings(Options):
    """The settings of the machine that packaged the model which change an answer; as in docs/reference/settings.md."""

    version: str
    """Version of the bundle."""
    tasks: tuple[Task, ...]
    policy: Policy
    photo: PhotoLimits
    api: ApiSettings
    deadline_seconds: float


def read(folder: Path) -> ServedSettings:
    """Return the settings in the folder. Raises ServedFolderUnusable."""
    try:
        return ServedSettings.model_validate_json((folder / SETTINGS_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise ServedFolderUnusable(
            f"{folder / SETTINGS_FILE} is missing or damaged ({error}): package the bundle again."
        ) from error


def build_sorter(folder: Path, settings: ServedSettings) -> Sorter:
    """Build the sorter that asks the bundle in the folder. Raises ServedFolderUnusable."""
    place = folder / BUNDLE_FOLDER
    options = LocalCnnOptions(waste_type_bundle=place, cleanliness_bundle=place, bundles=folder)
    try:
        routes: dict[Task, Sequence[Provider]] = {
            task: [LocalCnn(task, options)] if task in settings.tasks else [] for task in TASKS
        }
    except ProviderMisconfigured as error:
        raise ServedFolderUnusable(str(error)) from error
    return Sorter(Router(routes, settings.deadline_seconds), settings.policy, settings.photo)
