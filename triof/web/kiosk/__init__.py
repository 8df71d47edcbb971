"""The touchscreen: its pages, and what they show of the deposit; sentences are in ``web/texts``."""

from triof.web.kiosk.pages import LANGUAGES, KioskPages

__all__ = ["LANGUAGES", "KioskPages"]
