"""All settings of a machine as one frozen object with a field for each section."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import platformdirs
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

import providers
from providers.base import Task
from providers.custom_vision.options import CustomVisionOptions
from providers.fake import FakeOptions
from providers.local_cnn.options import LocalCnnOptions
from providers.onnx.options import OnnxOptions
from providers.options import Names, Options
from providers.rekognition.options import RekognitionOptions
from triof.settings.modes import Mode
from triof.settings.sections.alerts import AlertSettings
from triof.settings.sections.api import ApiSettings
from triof.settings.sections.breaker import BreakerSettings
from triof.settings.sections.dashboard import DashboardSettings
from triof.settings.sections.journal import JournalSettings
from triof.settings.sections.logs import LogsSettings
from triof.settings.sections.machine.camera import CameraSettings
from triof.settings.sections.machine.deposit import DepositSettings
from triof.settings.sections.machine.identity import MachineSettings, SupportSettings
from triof.settings.sections.machine.slot import SlotSettings
from triof.settings.sections.machine.touchscreen import TouchscreenSettings
from triof.settings.sections.monitoring import MonitoringSettings
from triof.settings.sections.photo import PhotoLimits, SlotViewSettings
from triof.settings.sections.policy import Policy
from triof.settings.sections.privacy import PrivacySettings
from triof.settings.sections.reports import ReportSettings
from triof.settings.sections.rollout import RolloutSettings
from triof.settings.sections.server import ServerSettings
from triof.settings.sections.technician import TechnicianSettings
from triof.settings.sections.tenant import TenantSettings

_LARGEST_PICTURE_BYTES = 1_000_000

Language = Literal["fr", "en"]
Theme = Literal["auto", "light", "dark"]


def _can_be_loaded(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in providers.PROVIDERS and not providers.names_a_class(name)]
    if unknown:
        raise PydanticCustomError(
            "no_provider",
            "No provider is called {unknown}: use {known} or module:Class",
            {"unknown": ", ".join(map(repr, unknown)), "known": ", ".join(sorted(providers.PROVIDERS))},
        )
    return names


class Settings(Options):
    """All settings, with their defaults."""

    home: Path = Path(platformdirs.user_data_dir("triof", appauthor=False))
    """The folder of the journal, the photos, the state of the simulated machine, and the cookie key."""
    machine_id: str | None = Field(None, min_length=1, max_length=64)
    """Id of the machine, stored in every row of the journal; None: generated at the first start."""
    mode: Mode = "auto"
    """``auto``: the routes as written; ``cloud``: a fall-back is reported as a fault; ``local``: no network calls."""
    language: Language = "fr"
    """The initial language of the touchscreen."""
    theme: Theme = "auto"
    """Colours of all pages; ``auto``: light or dark as the system of the computer that shows them prefers."""
    touchscreen: TouchscreenSettings = TouchscreenSettings()
    machine: MachineSettings = MachineSettings()
    tenant: TenantSettings = TenantSettings()
    server: ServerSettings = ServerSettings()
    logs: LogsSettings = LogsSettings()
    routes: Mapping[Task, Annotated[Names, AfterValidator(_can_be_loaded)]] = {
        "waste_type": ("custom_vision", "local_cnn"),
        "cleanliness": ("local_cnn",),
    }
    """Providers of each task, in the order of calls: a registered name or any ``module:Class``."""
    deadline_seconds: float = Field(2.5, gt=0)
    """Deadline of one question to a route, in seconds."""
    cloud_seconds: float = Field(1.5, gt=0)
    """Share of the deadline for a cloud provider, in seconds."""
    cascade_probability: float | None = Field(None, ge=0, le=1)
    """Probability of the local answer from which the cloud is skipped; None: never skipped."""
    breaker: BreakerSettings = BreakerSettings()
    photo: PhotoLimits = PhotoLimits()
    camera: CameraSettings = CameraSettings()
    slot: SlotSettings = SlotSettings()
    slot_view: SlotViewSettings = SlotViewSettings()
    deposit: DepositSettings = DepositSettings()
    journal: JournalSettings = JournalSettings()
    privacy: PrivacySettings = PrivacySettings()
    rollout: RolloutSettings = RolloutSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    alerts: AlertSettings = AlertSettings()
    reports: ReportSettings = ReportSettings()
    dashboard: DashboardSettings = DashboardSettings()
    support: SupportSettings = SupportSettings()
    technician: TechnicianSettings = TechnicianSettings()
    api: ApiSettings = ApiSettings()
    policy: Policy = Policy()
    local_cnn: LocalCnnOptions = LocalCnnOptions()
    onnx: OnnxOptions = OnnxOptions()
    custom_vision: CustomVisionOptions = CustomVisionOptions()
    rekognition: RekognitionOptions = RekognitionOptions()
    fake: FakeOptions = FakeOptions()

    @model_validator(mode="after")
    def _finds_the_item_to_cut_to(self) -> Self:
        if self.privacy.cut_to_item and not (self.slot_view.enabled and self.slot_view.cut):
            raise PydanticCustomError(
                "no_item_box",
                "Nothing can be cut to the item without slot_view.enabled and slot_view.cut",
                {"below": "privacy.cut_to_item"},
            )
        return self

    @model_validator(mode="after")
    def _has_the_tenants_pictures(self) -> Self:
        for setting, name in self.tenant.pictures():
            path = self.home / "config" / name
            if not path.is_file() or path.stat().st_size > _LARGEST_PICTURE_BYTES:
                raise PydanticCustomError(
                    "no_picture",
                    "{path} is not a file of at most 1 MB: put the picture there, or unset this",
                    {"path": str(path), "below": f"tenant.{setting}"},
                )
        return self

    @model_validator(mode="after")
    def _leaves_time_for_the_local_answer(self) -> Self:
        if self.cloud_seconds > self.deadline_seconds:
            raise PydanticCustomError(
                "no_time_left",
                "The cloud may take no longer than the whole question: deadline_seconds is {deadline}",
                {"deadline": self.deadline_seconds, "below": "cloud_seconds"},
            )
        return self
