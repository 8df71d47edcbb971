"""The modes of a machine, apart from the settings, so that a model's web service need not load those of a machine."""

from typing import Literal

Mode = Literal["auto", "cloud", "local"]
