"""Fixtures: the strict fake of the cloud."""

from tests.support.azure_desk import azure  # noqa: F401 (fixture)
