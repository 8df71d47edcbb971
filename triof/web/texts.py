"""The touchscreen's sentences, in English; translations/ has the other languages.

The tables are keyed by the codes that the rest of Triof uses, so a missing sentence is a KeyError in a test and not
a blank screen in a canteen.  The machine speaks in the first person, in sentences short enough to read in passing.
"""

from collections.abc import Callable
from typing import NamedTuple

from flask_babel import LazyString, format_decimal, format_percent
from flask_babel import lazy_gettext as _

from providers.base import Prediction
from triof.deposits.visit import Deposit
from triof.judging.router import fallen_back
from triof.machine.hardware.base import Part
from triof.reporting.page_templates import with_code

LANGUAGES = (("fr", "Français"), ("en", "English"))
"""Codes, and names in their own language."""
_WHOLE_METRES = 10


class Return(NamedTuple):
    """The reason for which an item is returned, and what to do."""

    headline: LazyString
    explanation: LazyString
    advice: LazyString


class FaultText(NamedTuple):
    """A fault of the page or the machine, and what to do."""

    title: LazyString
    message: LazyString
    remedy: LazyString


NAMES: dict[str, LazyString] = {
    "bottle": _("Bottle"),
    "cup": _("Cup"),
    "cutlery": _("Cutlery"),
    "other": _("Something else"),
    "none": _("None of these"),
    "clean": _("Clean"),
    "dirty": _("Dirty"),
}

# With the article, for the middle of a sentence: "It looks like a bottle."
INDEFINITE: dict[str, LazyString] = {
    "bottle": _("a bottle"),
    "cup": _("a cup"),
    "cutlery": _("cutlery"),
    "other": _("something else"),
}

# The question of the choosing page when the machine is sure of the type, by type.
SURE: dict[str, LazyString] = {
    "bottle": _("A bottle. Is that right?"),
    "cup": _("A cup. Is that right?"),
    "cutlery": _("Cutlery. Is that right?"),
}

# The question of the choosing page otherwise, by action and reason.
HEADLINES: dict[tuple[str, str], LazyString] = {
    ("ask", "unsure_type"): _("What is it? I'm not sure."),
    ("ask", "unsure_cleanliness"): _("If it's empty and clean: what is it?"),
    ("ask", "type_not_answered"): _("I can't tell. What is it?"),
    ("ask", "cleanliness_not_answered"): _("If it's empty and clean: what is it?"),
    ("ask", "unfamiliar"): _("I've never seen this. What is it?"),
}

PLEASE_CHOOSE = _("Please choose what it is.")

RETURNS: dict[str, Return] = {
    "other": Return(
        _("I can't use this"),
        _("It doesn't look like a plastic bottle, cup or cutlery."),
        _("Please put it in the right bin."),
    ),
    "dirty": Return(
        _("It isn't clean yet"),
        _("I see leftovers or stains."),
        _("Empty and wipe it, then try again."),
    ),
    "none_of_these": Return(
        _("I can't use this"),
        _("Thank you for telling me: I'll learn from it."),
        _("Please put it in the right bin."),
    ),
    "called_dirty": Return(
        _("It isn't clean yet"),
        _("Thank you for telling me: I'll learn from it."),
        _("Empty and wipe it, then try again."),
    ),
    "nothing_seen": Return(
        _("I see nothing"),
        _("The slot looks empty to me."),
        _("Put your item in and try again, or cancel."),
    ),
    "reaches_out": Return(
        _("I can't see all of it"),
        _("A part of it lies outside of my picture."),
        _("Push it in further and try again, or take it back."),
    ),
    "not_judged": Return(
        _("I can't tell right now"),
        _("Looking at it took me too long."),
        _("Take it out of the slot, or try again."),
    ),
    "cancelled": Return(
        _("Here it is"),
        _("You asked for it back."),
        _("Take it out of the slot."),
    ),
    "timed_out": Return(
        _("Here it is"),
        _("I waited, but got no answer."),
        _("Take it out of the slot, or try again."),
    ),
    "nothing_put_in": Return(
        _("Maybe next time"),
        _("Nothing was put in."),
        _("Keep your hands out, please: the slot closes."),
    ),
    "held": Return(
        _("Take your item"),
        _("I still see something in the slot."),
        _("It stays open until it is empty."),
    ),
    "interrupted": Return(
        _("Sorry, I was interrupted"),
        _("Your item may still be inside."),
        _("Please take it out of the slot."),
    ),
    "taken_back": Return(
        _("It isn't there any more"),
        _("Your item was taken out again."),
        _("Put it in and try again, or cancel."),
    ),
    "emergency_stop": Return(
        _("Emergency stop"),
        _("The emergency stop was pressed."),
        _("Take your item if it came out, and tell the staff."),
    ),
    "jammed": Return(
        _("Something is stuck"),
        _("I stopped for your safety."),
        _("Take your item if it came out, and tell the staff."),
    ),
    "out_of_order": Return(
        _("I can't take it now"),
        _("I couldn't write down what you chose."),
        _("Take it out of the slot, and tell the staff."),
    ),
}

# A jam, by part.
JAMS: dict[Part, LazyString] = {
    "slot": _("The door of the slot is stuck"),
    "box": _("The boxes are stuck"),
    "shredder": _("The shredder is stuck"),
}

# For the staff: failed health checks; a check without a sentence is shown by its name.
HINTS: dict[str, LazyString] = {
    "waste_type": _("No model can tell what an item is."),
    "cleanliness": _("No model can tell whether an item is clean."),
    "journal": _("The journal does not answer."),
    "disk": _("The disk is nearly full."),
    "camera": _("The camera gives no picture."),
    "camera_frozen": _("The camera's picture is frozen."),
    "slot": _("The machine is out of order."),
}

PHOTO_FAULTS: dict[str, LazyString] = {
    "empty": _("The photo is empty. Please take it again."),
    "too_many_bytes": _("The photo is too large. Please take another one."),
    "not_a_photo": _("That is not a photo. Please take one."),
    "heic": _("I can't read HEIC photos. On an iPhone: Settings > Camera > Formats > Most Compatible."),
    "unread_format": _("I can't read this kind of photo. Please take it as a JPEG."),
    "too_many_pixels": _("The photo is too large. Please take another one."),
    "too_small": _("The photo is too small. Please take another one."),
    "too_long": _("The photo is too narrow. Please take another one."),
    "too_costly": _("The photo is too large. Please take another one."),
    "transparent": _("That is not a photo. Please take one."),
    "too_dark": _("The photo is too dark. Please take another one."),
    "busy": _("I'm busy right now. Please try again in a moment."),
    "damaged": _("The photo is damaged. Please take it again."),
    "no_photo": _("There is no photo yet. Please take one."),
    "camera": _("The camera gave no picture. Please try again."),
    "internal": _("Something went wrong inside me. Please try again."),
    "leftover": _("If something is left inside, take it out first."),
}

FAULTS: dict[str, FaultText] = {
    "csrf": FaultText(
        _("That took too long"),
        _("This page was open for too long."),
        _("Please start again. It only takes a moment."),
    ),
    "not_here": FaultText(
        _("Not from here"),
        _("This page is shown on the machine itself only."),
        _("Go to the machine, or ask the staff."),
    ),
    "not_found": FaultText(
        _("Nothing here"),
        _("This page doesn't exist."),
        _("Go back to the start."),
    ),
    "method": FaultText(
        _("That didn't work"),
        _("This page can't be opened like that."),
        _("Go back to the start."),
    ),
    "too_large": FaultText(
        _("The photo is too large"),
        _("I can't take in that much."),
        _("Please start again with a smaller photo."),
    ),
    "internal": FaultText(
        _("That was my fault"),
        _("Something went wrong inside the machine."),
        _("Please try again. If it happens again, tell the staff."),
    ),
    "journal": FaultText(
        _("The journal doesn't answer"),
        _("What you asked for stands in the journal, which can't be read at the moment."),
        _("On the machine, `triof doctor` names the remedy."),
    ),
}


_HERE = ("local_cnn", "onnx")
"""Providers that answer on this machine."""

# Said in mode cloud after a fall-back to this machine, by the outcome of the first attempt.
INSTEAD: dict[str, LazyString] = {
    "ProviderUnavailable": _("Judged on this machine: the cloud doesn't answer"),
    "BreakerOpen": _("Judged on this machine: the cloud doesn't answer"),
    "RateLimited": _("Judged on this machine: the cloud is busy"),
    "QuotaExceeded": _("Judged on this machine: the cloud's quota is used up"),
    "ProviderMisconfigured": _("Judged on this machine: the cloud isn't set up"),
    "ServiceRetired": _("Judged on this machine: the cloud service is retired"),
    "ModelStopped": _("Judged on this machine: the cloud's model isn't running"),
    "PhotoRejected": _("Judged on this machine: the cloud can't read the photo"),
}


def fall_back(prediction: Prediction) -> LazyString | None:
    """Return the sentence about the fall-back that led to the prediction; None if the first provider answered."""
    cause = fallen_back(prediction)
    if not cause:
        return None
    if prediction.provider in _HERE and cause.outcome in INSTEAD:
        return INSTEAD[cause.outcome]
    return _("The first provider did not answer")


def headline(action: str, reason: str, label: str | None = None) -> LazyString:
    """Return the question of the choosing page."""
    return SURE[label] if action == "accept" and label else HEADLINES[action, reason]


def return_state(deposit: Deposit) -> str:
    """Return the key of RETURNS: the reason, or what the person said or did themselves."""
    reason = deposit.reason or ""
    if deposit.is_held:
        return "held"
    if deposit.came_to_nothing:
        return "nothing_put_in"
    if reason == "other" and deposit.chosen == "other":
        return "none_of_these"
    return "called_dirty" if reason == "dirty" and deposit.cleanliness == "dirty" else reason


def hint(check: str) -> str:
    """Return the sentence for the staff about a failed health check."""
    return str(HINTS.get(check, check))


def indefinite(label: str) -> LazyString:
    """Return the name of a type with its article."""
    return INDEFINITE[label]


def percent(probability: float) -> str:
    """Format a probability as a percentage; 100 % and 0 % are used for certainty only."""
    hundredths = round(probability * 100)
    if 0.0 < probability < 1.0:
        hundredths = min(99, max(1, hundredths))
    return str(format_percent(hundredths / 100))


def metres(length: float) -> str:
    """Format metres of filament: whole ones as in the monthly report, or with one decimal below ten."""
    return f"{format_decimal(length, '#,##0.0' if length < _WHOLE_METRES else '#,##0')}\N{NO-BREAK SPACE}m"


# Filters of the kiosk's templates: `app.jinja_env.filters.update(texts.FILTERS)`.
FILTERS: dict[str, Callable[..., object]] = {
    "percent": percent,
    "indefinite": indefinite,
    "with_code": with_code,
    "metres": metres,
}
