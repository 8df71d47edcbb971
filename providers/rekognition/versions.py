"""Starts and stops the versions of models, which are paid while they run."""

import time
from collections.abc import Callable
from typing import Self

from providers.base import ProviderMisconfigured, ProviderUnavailable
from providers.rekognition.client import RekognitionClient, VersionState
from providers.rekognition.options import RekognitionOptions, parsed

_CALL_SECONDS = 20.0
_STARTABLE = ("STOPPED", "TRAINING_COMPLETED", "FAILED")
_LONGEST_START_SECONDS = 3600.0


class ModelVersion:
    """A version of a model. Every method raises ProviderError."""

    def __init__(self, arn: str, options: RekognitionOptions) -> None:
        self.name = parsed(arn).version
        self._units = options.inference_units
        self._client = RekognitionClient(
            parsed(arn), endpoint=options.endpoint, connect_seconds=options.connect_seconds
        )

    def state(self) -> VersionState:
        """Return its state."""
        return self._client.state(timeout=_CALL_SECONDS)

    def start(self) -> bool:
        """Start it unless it runs; return whether it runs or starts. False: it is stopping, try again."""
        status = self.state().status
        if status in _STARTABLE:
            status = self._client.start(self._units, timeout=_CALL_SECONDS)
        elif status not in ("RUNNING", "STARTING", "STOPPING"):
            raise ProviderMisconfigured(f"{self.name} cannot be started ({status}): train it, or choose another.")
        return status != "STOPPING"

    def stop(self) -> bool:
        """Stop it if it runs; return whether it is stopped or stops. False: it is starting, try again."""
        status = self.state().status
        if status == "RUNNING":
            status = self._client.stop(timeout=_CALL_SECONDS)
        return status != "STARTING"

    def wait(
        self, sleep: Callable[[float], None] | None, clock: Callable[[], float], poll_seconds: float = 15.0
    ) -> VersionState:
        """Wait until it neither starts nor stops; return its state then."""
        until = clock() + _LONGEST_START_SECONDS
        while (state := self.state()).status in ("STARTING", "STOPPING"):
            if clock() > until:
                raise ProviderUnavailable(f"{self.name} is still {state.status} after an hour: see the AWS console.")
            (sleep or time.sleep)(poll_seconds)
        return state

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
