"""Options of the rekognition provider for the fake on loopback."""

from typing import Any

from providers.rekognition.options import RekognitionOptions
from testing.aws.rekognition_server import RekognitionServer


def rekognition_options(server: RekognitionServer, **changes: Any) -> RekognitionOptions:
    """The settings that reach the server, for both tasks."""
    given = {"waste_type": server.arn, "cleanliness": server.arn, "endpoint": server.endpoint, **changes}
    return RekognitionOptions.model_validate(given)
