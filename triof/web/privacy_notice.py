"""The sentences of the notice about the camera, derived from the settings and the mode that hold now."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from flask_babel import LazyString, format_timedelta
from flask_babel import lazy_gettext as _

from triof.judging import cloud_providers
from triof.settings.modes import Mode
from triof.settings.tree import Settings
from triof.storage.photo_store import PhotoStore

AZURE = "custom_vision"
_CLOUD_STORES = timedelta(days=30)
_DAY = timedelta(days=1)
_NO_LIMIT = 1e9
"""Threshold that keeps one unit of time: 30 days, not a month."""


class NoticeSentence(NamedTuple):
    """One sentence, with the name of its icon."""

    icon: str
    text: LazyString | str


def sentences(settings: Settings, mode: Mode) -> Sequence[NoticeSentence]:
    """Return what is photographed, why, how long it is kept, where it goes, and the rights of the person."""
    return [
        NoticeSentence("i-camera", _("I photograph the item in my slot. A hand may be in the picture.")),
        NoticeSentence("i-question", _("It shows me what the item is, and whether it is clean.")),
        NoticeSentence("i-box", _where(settings, mode)),
        NoticeSentence("i-clock", _how_long(settings)),
        NoticeSentence("i-check", _("I note what it was and when, but not who you are.")),
        NoticeSentence("i-hand", _("You may see your photo, have it deleted, or object: tell us day and time.")),
    ]


def _where(settings: Settings, mode: Mode) -> LazyString | str:
    missing = cloud_providers.left_out(settings)
    clouds = [] if mode == "local" else [name for name in cloud_providers.in_routes(settings) if name not in missing]
    if not clouds:
        return _("The photo doesn't leave this machine to be judged.")
    if clouds != [AZURE]:
        return _("The photo is sent to a cloud service to be judged.")
    if settings.custom_vision.store:
        return _(
            "The photo is sent to Microsoft Azure to be judged, and kept there for %(days)s.",
            days=_duration(_CLOUD_STORES),
        )
    return _("The photo is sent to Microsoft Azure to be judged, and not kept there.")


def _how_long(settings: Settings) -> LazyString | str:
    if not PhotoStore.of(settings).keeps_any:
        return _("I keep no photo.")
    days = _duration(settings.journal.keep_photo_days * _DAY)
    if settings.privacy.keep_photos == "unsure_and_corrected":
        return _(
            "I keep a photo only if I wasn't sure or you corrected me, for %(days)s at most.",
            days=days,
        )
    return _("I keep each photo, for %(days)s at most.", days=days)


def _duration(duration: timedelta) -> str:
    """Format in whole days, or hours below one day, rounded up."""
    if duration >= _DAY:
        return str(format_timedelta(math.ceil(duration / _DAY) * _DAY, granularity="day", threshold=_NO_LIMIT))
    hours = max(1, math.ceil(duration / timedelta(hours=1)))
    return str(format_timedelta(timedelta(hours=hours), granularity="hour", threshold=_NO_LIMIT))
