"""Shared code of ``triof rekognition``: the versions that the settings name, and what they cost."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from providers.base import ProviderMisconfigured
from providers.rekognition.options import RekognitionOptions
from triof.cli import Timing, load_settings

if TYPE_CHECKING:
    from providers.rekognition.versions import ModelVersion

HOURS_A_WEEK = 24 * 7


class ModelSession(NamedTuple):
    """The settings, and the versions that they name."""

    options: RekognitionOptions
    versions: list["ModelVersion"]
    timing: Timing

    def price(self) -> str:
        """Return what the running models cost for an hour."""
        return f"{len(self.versions) * self.options.inference_units * self.options.euros_per_hour:.2f} € an hour"


@contextmanager
def model_session(ctx: click.Context) -> Iterator[ModelSession]:
    """Yield the session of a command. Raises SettingsError, ProviderMisconfigured."""
    options = load_settings(ctx).settings.rekognition
    if not options.is_set:
        raise ProviderMisconfigured(f"No model is set: {options.remedy}.")
    try:
        from providers.rekognition.versions import ModelVersion
    except ImportError as error:
        raise ProviderMisconfigured("This needs boto3: pip install 'triof[rekognition]'.") from error
    with ExitStack() as stack:
        versions = [stack.enter_context(ModelVersion(arn, options)) for arn in options.versions]
        yield ModelSession(options, versions, ctx.ensure_object(Timing))
