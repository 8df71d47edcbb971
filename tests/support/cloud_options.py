"""Options of the custom_vision provider for the fake on loopback."""

from typing import Any

from providers.custom_vision.options import CustomVisionOptions
from testing.azure.custom_vision_server import CustomVisionServer

CLEANLINESS_TAGS = {"propre": "clean", "sale": "dirty"}


def options_for(server: CustomVisionServer, **changes: Any) -> CustomVisionOptions:
    """The settings that reach the server."""
    return CustomVisionOptions.model_validate(
        {
            "prediction_endpoint": server.endpoint,
            "prediction_key": server.key,
            "project_id": server.project_id,
            "published_name": server.published_name,
            **changes,
        }
    )
