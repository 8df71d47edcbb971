"""Runs `triof compare` with all engines, the clouds as strict servers on this computer, and writes a page for the docs.

What the clouds say means nothing: their servers look at the colours of a photo. That they are asked rightly, and that
the page is whole, is what this shows. The ONNX network has to be installed (docs/guide/engines.md).

    python -m tools.compare_engines --data ../shared/data/all.csv --report docs/reports/comparison.html
"""

import argparse
import json
import os
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path

from testing.aws.rekognition_server import RekognitionServer
from testing.aws.replies import AwsFault
from testing.azure.azure_export import expected_scores
from testing.azure.custom_vision_server import CustomVisionServer, image_of
from testing.azure.replies import Fault
from testing.http_replies import Reply
from testing.loopback_service import Request
from triof.cli import main as triof

_TAGS = ("bouteille", "couvert", "gobelet", "Negative")


class ColourfulAzure(CustomVisionServer):
    """Answers by the colours of the photo."""

    def judge(self, request: Request) -> tuple[Reply, Fault | None]:
        """Look at the photo, then answer."""
        if image := image_of(request):
            self.scores = expected_scores(image, _TAGS)
        return super().judge(request)


class ColourfulRekognition(RekognitionServer):
    """The same."""

    def judge(self, request: Request) -> tuple[Reply, AwsFault | None]:
        """Look at the photo, then answer."""
        image = json.loads(request.body or b"{}").get("Image", {}).get("Bytes")
        if image:
            self.scores = expected_scores(b64decode(image), _TAGS)
        return super().judge(request)


def main() -> None:
    """Start the servers and run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--limit")
    asked = parser.parse_args()
    with ExitStack() as stack:
        azure, amazon = stack.enter_context(ColourfulAzure()), stack.enter_context(ColourfulRekognition())
        settings = {
            "CUSTOM_VISION__PREDICTION_ENDPOINT": azure.endpoint,
            "CUSTOM_VISION__PREDICTION_KEY": azure.key,
            "CUSTOM_VISION__PROJECT_ID": azure.project_id,
            "CUSTOM_VISION__PUBLISHED_NAME": azure.published_name,
            "CUSTOM_VISION__TIER": "S0",
            "CUSTOM_VISION__CALLS_PER_SECOND": "1000",
            "REKOGNITION__WASTE_TYPE": amazon.arn,
            "REKOGNITION__ENDPOINT": amazon.endpoint,
            "REKOGNITION__CALLS_PER_SECOND": "1000",
        }
        os.environ |= {f"TRIOF_{name}": value for name, value in settings.items()}
        limit = ["--limit", asked.limit] if asked.limit else []
        triof(
            [
                *("compare", "--data", str(asked.data)),
                "--without-pictures",
                "--yes",
                "--report",
                str(asked.report),
                *limit,
            ]
        )


if __name__ == "__main__":
    main()
