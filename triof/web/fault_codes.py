"""The registry of fault codes: what the touchscreen says to people, and the technician's page to technicians.

A code is a letter for the part and a number: C camera, D disk, J journal, M maintenance, S slot. The errors that carry
them are in ``machine``, ``storage`` and ``deposits``. docs/reference/faults.md has the same table, by a test.
"""

from collections.abc import Mapping
from typing import NamedTuple

from flask_babel import LazyString
from flask_babel import lazy_gettext as _


class FaultCode(NamedTuple):
    """One code. ``title`` and ``advice`` are for everyone, ``cause`` and ``remedy`` for the technician."""

    title: LazyString
    cause: LazyString
    remedy: LazyString
    advice: LazyString = _("Please keep your item, or put it in the usual bin.")
    stops: bool = True
    """Whether the machine takes no deposit meanwhile."""
    ends_by_itself: bool = True
    """Whether the machine goes on by itself once the cause is gone."""


FAULT_CODES: Mapping[str, FaultCode] = {
    "C1": FaultCode(
        _("I can't see"),
        _("The camera gives no picture: it is unplugged, used by another program, or its folder or address is wrong."),
        _("Check the camera's cable and power; `triof doctor` names the setting, library or group to correct."),
    ),
    "C2": FaultCode(
        _("My picture stands still"),
        _("The camera repeats one picture."),
        _("Unplug the camera and plug it in again. If it comes back, change its cable or the camera."),
    ),
    "C3": FaultCode(
        _("It's dark in here"),
        _("The camera's picture is black."),
        _("Check the lamp, the lens cap and the exposure."),
        stops=False,
    ),
    "C4": FaultCode(
        _("I'm dazzled"),
        _("The camera's picture is overexposed."),
        _("Keep sunlight out, check the lamp, shorten the exposure."),
        stops=False,
    ),
    "C5": FaultCode(
        _("I can't see clearly"),
        _("The camera's picture is blurred."),
        _("Wipe the lens, turn the focus until the sharpness bar is longest, fix the camera."),
        stops=False,
    ),
    "C6": FaultCode(
        _("Something is in front of my eye"),
        _("The camera is covered, or sees nothing but one plain surface."),
        _("Take away what is in front of the lens."),
        stops=False,
    ),
    "D1": FaultCode(
        _("My disk is full"),
        _("The disk of the home folder is full; old photos and all backups but one are removed already."),
        _("Make room on the disk."),
    ),
    "J1": FaultCode(
        _("My journal is missing"),
        _("The journal is no longer the file that was opened: it was deleted, moved or replaced."),
        _("Put the journal's file back, or start the machine again to use what lies there now."),
    ),
    "J2": FaultCode(
        _("My journal is locked"),
        _("Another program holds the journal."),
        _("End the program that holds the journal, or wait until it is done."),
    ),
    "J3": FaultCode(
        _("My journal is damaged"),
        _("The journal's file is damaged."),
        _("Wait some seconds: the damaged file is set aside by itself. Then run `triof journal salvage`."),
    ),
    "J4": FaultCode(
        _("I can't open my journal"),
        _("The journal cannot be read or written by this user, or is no file."),
        _("Give the journal's file and folder to the user of the machine, and start the machine again."),
        ends_by_itself=False,
    ),
    "J5": FaultCode(
        _("My journal doesn't answer"),
        _("The journal's disk, or the database of journal.url, does not answer."),
        _("Check the journal's disk, or start its database."),
    ),
    "J6": FaultCode(
        _("My software is too old"),
        _("The journal was written by a newer Triof."),
        _("Install the newer Triof again, which wrote the journal."),
        ends_by_itself=False,
    ),
    "M1": FaultCode(
        _("Under maintenance"),
        _("A technician works on the machine."),
        _("End maintenance on the technician's page; it ends by itself after some minutes without an action."),
    ),
    "S1": FaultCode(
        _("Something is stuck"),
        _("A part is jammed."),
        _("Switch the machine off, free the part, switch it on, then clear the jam on the technician's page."),
        ends_by_itself=False,
    ),
    "S2": FaultCode(
        _("My motors don't answer"),
        _("The hardware does not answer."),
        _("Check cables and power of the driver board."),
    ),
    "S3": FaultCode(
        _("Emergency stop"),
        _("The emergency stop was pressed: all parts are off."),
        _("Look for the reason, release the button, then clear the stop on the technician's page."),
        advice=_("Please keep your hands out of the slot."),
        ends_by_itself=False,
    ),
}


def of(code: str) -> FaultCode:
    """Return the row of ``code``; a foreign driver's own code is shown as that of the slot's S2."""
    return FAULT_CODES.get(code, FAULT_CODES["S2"])
