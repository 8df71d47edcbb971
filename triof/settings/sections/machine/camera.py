"""Settings of the camera."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from providers.options import Options
from triof.common.paths import DEMO_PICTURES

_Pixels = Annotated[int, Field(ge=160, le=8192)]
_Rate = Annotated[float, Field(gt=0, le=240)]
_Settle = Annotated[float, Field(ge=0, le=10)]


class WebcamSettings(Options):
    """A USB camera by OpenCV."""

    device: Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)] = Field(
        "0", min_length=1
    )
    """A number, a path, or a name in ``/dev/v4l/by-id``, which stays the same when cameras are plugged in anew."""
    width: _Pixels = 1280
    height: _Pixels = 720
    rate: _Rate = 30
    """Frames per second asked of the camera."""
    mjpg: bool = True
    """Whether frames are compressed on the cable, which large ones need on USB 2."""
    settle_seconds: _Settle = 0.5
    """After opening: frames before are not used, as the exposure is still changing."""


class PiCameraSettings(Options):
    """A camera on a Raspberry Pi's CSI connector."""

    number: int = Field(0, ge=0, le=9)
    width: _Pixels = 1280
    height: _Pixels = 720
    rate: _Rate = 30
    settle_seconds: _Settle = 0.5


class HttpCameraSettings(Options):
    """An IP camera that answers with a JPEG, or with a stream of them."""

    url: SecretStr | None = None
    """Secret, as many addresses contain a login."""
    user: str | None = Field(None, min_length=1)
    password: SecretStr | None = None
    login: Literal["basic", "digest"] = "basic"
    timeout_seconds: float = Field(3, gt=0, le=30)
    """For one picture as a whole, the connection included."""

    @field_validator("url", "user", "password", mode="before")
    @classmethod
    def _unset_if_empty(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            parts = urlsplit(value.get_secret_value()) if value else None
            is_address = parts is None or bool(parts.hostname and parts.scheme in ("http", "https") and parts.port != 0)
        except ValueError:
            is_address = False
        if not is_address:
            raise PydanticCustomError(
                "camera_url", "Give the camera's address, such as http://192.168.1.20/snapshot.jpg"
            )
        return value


class CameraSettings(Options):
    """Kind of camera, with a section for each; ``folder`` and ``order`` apply to the kind ``folder``."""

    kind: Literal["folder", "browser", "webcam", "picamera2", "http"] = "folder"
    folder: Path = DEMO_PICTURES
    order: Literal["fixed", "random"] = "fixed"
    webcam: WebcamSettings = WebcamSettings()
    picamera2: PiCameraSettings = PiCameraSettings()
    http: HttpCameraSettings = HttpCameraSettings()
    burst_frames: int = Field(3, ge=1, le=10)
    """Frames of which the sharpest is judged; fewer once nothing moves between two."""
    burst_seconds: float = Field(0.5, ge=0, le=5)
    """Maximum time between the first and the last of them."""
    fault_seconds: float = Field(10, ge=0, le=3600)
    """Time after which equal, black, white, blurred or covered pictures are a fault."""

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.kind == "http" and not self.http.url:
            raise PydanticCustomError(
                "camera_url", "The kind http needs the camera's address: set camera.http.url", {"below": "http"}
            )
        return self
