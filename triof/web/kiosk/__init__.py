"""The touchscreen: its pages, and what they show of the deposit; sentences are in ``web/texts``."""

from triof.web.kiosk.pages import KioskPages

__all__ = ["KioskPages"]
