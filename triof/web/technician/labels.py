"""The sentences of the technician's page that are keyed by a code."""

from collections.abc import Mapping

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from triof.judging.verdict import Verdict
from triof.web import texts

PAGES: Mapping[str, LazyString] = {
    "technician.overview": _("State"),
    "technician.camera": _("Camera"),
    "technician.parts": _("Parts"),
    "technician.records": _("Records"),
}

ACTIONS: Mapping[str, LazyString] = {
    "begin": _("Begin maintenance"),
    "open_slot": _("Open the slot"),
    "close_slot": _("Close the slot"),
    "shred": _("Run the shredder"),
    "lamp_on": _("Lamp on"),
    "lamp_off": _("Lamp off"),
    "clear": _("Clear jam and emergency stop"),
    "reference": _("Take the reference picture"),
    "test_deposit": _("Test deposit"),
}

EVENTS: Mapping[str, LazyString] = {
    "machine.out_of_order": _("out of order"),
    "machine.in_order": _("in order again"),
    "deposit.failed": _("deposit not finished"),
    "alert.fired": _("alert"),
    "alert.cleared": _("alert over"),
}

SLOT_STATES: Mapping[str, LazyString] = {
    "empty": _("The slot is empty."),
    "item": _("An item lies in the slot."),
    "reaches_out": _("An item reaches out of the picture."),
    "unclear": _("Something differs, too little to be an item."),
    "other_view": _("The picture does not match the reference: was the camera moved?"),
}
"""What the picture shows beside the reference of the empty slot."""

REFUSALS: Mapping[str, LazyString] = {
    "The slot is open: close it before shredding.": _("The slot is open: close it before shredding."),
    "The slot is open: empty and close it, as the picture shows it while items are judged.": _(
        "The slot is open: empty and close it, as the picture shows it while items are judged."
    ),
}
"""The usual refusals, by the error's message; others are shown as they are."""

VERDICTS: Mapping[str, LazyString] = {
    "accept": _("The machine would accept it."),
    "ask": _("The machine would ask what it is."),
    "refuse": _("The machine would hand it back."),
}


def says(verdict: Verdict) -> str:
    """Return what the touchscreen would say first."""
    if verdict.action == "refuse":
        return str(texts.RETURNS[verdict.reason].headline)
    return str(texts.headline(verdict.action, verdict.reason, verdict.label))


def emptied(number: int) -> str:
    """Return what is said after a box was marked as emptied."""
    return str(_("Box %(number)s emptied", number=number))


def action(name: str) -> str:
    """Return the words of an action's button."""
    if name.startswith("box_"):
        return str(_("Box %(number)s", number=name.removeprefix("box_")))
    return str(ACTIONS.get(name, name))
