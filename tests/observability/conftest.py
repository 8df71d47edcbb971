"""Fixtures: ``triof azure`` in this process, against the strict fake of the cloud."""

from tests.support.azure_desk import azure, clock, desk  # noqa: F401 (fixtures)
