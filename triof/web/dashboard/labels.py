"""The dashboard's sentences for codes, in English; translations/ has the other languages."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

from flask_babel import (
    LazyString,
    format_currency,
    format_date,
    format_datetime,
    format_decimal,
    format_percent,
    format_timedelta,
    get_locale,
    ngettext,
    to_user_timezone,
)
from flask_babel import lazy_gettext as _

from providers.local_cnn.pointer import SHIPPED
from triof.access.technician_pin import BY_PIN
from triof.observability.health_checks.check import Status
from triof.web import texts

PAGES: tuple[tuple[str, LazyString], ...] = (
    ("dashboard.today", _("At a glance")),
    ("dashboard.over_time", _("Over time")),
    ("dashboard.answers", _("Answers")),
    ("dashboard.machine", _("Machine")),
    ("dashboard.models", _("Models")),
)
PERIODS: Mapping[str, LazyString] = {
    "today": _("Today"),
    "7": _("7 days"),
    "30": _("30 days"),
    "365": _("1 year"),
}
ROLES: Mapping[str, LazyString] = {"operator": _("Operator"), "technician": _("Technician")}
ACTIONS: Mapping[str, LazyString] = {
    "accept": _("Accepted"),
    "ask": _("Asked"),
    "refuse": _("Refused"),
}
TYPES: Mapping[str, LazyString] = {
    "bottle": _("Bottles"),
    "cup": _("Cups"),
    "cutlery": _("Pieces of cutlery"),
    "other": _("Something else"),
}
TASKS: Mapping[str, LazyString] = {"waste_type": _("What is it?"), "cleanliness": _("Is it clean?")}
ANSWERS: Mapping[str, LazyString] = {
    "accept": _("was sure"),
    "ask": _("asked the person"),
    "refuse": _("refused it"),
}
"""What the machine did with one item, by the verdict's action."""
ENDINGS: Mapping[str, LazyString] = {
    "shredded": _("was shredded"),
    "returned": _("was handed back"),
    "failed": _("failed"),
    "interrupted": _("was interrupted"),
}
MODES: Mapping[str, LazyString] = {
    "auto": _("The cloud first, this machine where it does not answer"),
    "cloud": _("The cloud has to answer; a fall-back is shown as a fault"),
    "local": _("This machine alone, nothing that needs the network"),
}
BOXES: Mapping[str, LazyString] = {
    "box_bottle": _("The box of bottles is nearly full."),
    "box_cup": _("The box of cups is nearly full."),
    "box_cutlery": _("The box of cutlery is nearly full."),
}
CHECKS: Mapping[str, LazyString] = {
    **texts.HINTS,
    "home": _("The home folder cannot be written to."),
    "bundles": _("A model that was put into service cannot answer."),
    "precision": _("A model answers in another precision than it should."),
    "cloud": _("The cloud does not answer."),
    "quota": _("The quota is used up, or soon will be."),
    "retirement": _("The cloud service is being switched off."),
    "slot_view": _("The camera no longer sees the slot as before."),
    "clock": _("The clock is wrong."),
    "memory": _("Memory is running out."),
    "temperature": _("The computer is too hot."),
    "groups": _("The program may not use the camera or the motors."),
    "network": _("There is no network."),
    "languages": _("A language is missing."),
}
"""Sentences for failed health checks; a check that is not listed is shown by its name."""
CHECK_NAMES: Mapping[str, LazyString] = {
    "home": _("The machine's folder"),
    "disk": _("Disk"),
    "journal": _("Journal"),
    "waste_type": _("Telling what it is"),
    "cleanliness": _("Telling whether it is clean"),
    "bundles": _("Models in service"),
    "precision": _("Precision of the models"),
    "cloud": _("Cloud"),
    "quota": _("Quota of the cloud"),
    "retirement": _("Retirement of the cloud service"),
    "camera": _("Camera"),
    "camera_frozen": _("Frozen picture"),
    "camera_black": _("Black picture"),
    "camera_overexposed": _("White picture"),
    "camera_blurred": _("Blurred picture"),
    "camera_covered": _("Covered camera"),
    "slot_view": _("View of the slot"),
    "slot": _("Slot, boxes and shredder"),
    "box_bottle": _("Box of bottles"),
    "box_cup": _("Box of cups"),
    "box_cutlery": _("Box of cutlery"),
    "clock": _("Clock"),
    "memory": _("Memory"),
    "temperature": _("Temperature"),
    "groups": _("Access to camera and motors"),
    "network": _("Network"),
    "languages": _("Languages"),
}
"""Names of the health checks; a check that is not listed is shown by its own."""
CHECK_WARNINGS: Mapping[str, LazyString] = {
    "waste_type": _("A model does not answer, another one does."),
    "cleanliness": _("A model does not answer, another one does."),
    "journal": _("The journal needs care."),
    "camera": _("The camera's folder holds more than pictures."),
    "camera_black": _("The camera's pictures are black."),
    "camera_overexposed": _("The camera's pictures are white."),
    "camera_blurred": _("The camera's pictures are blurred."),
    "camera_covered": _("Something covers the camera."),
    "slot": _("The latest deposit was not finished."),
    **BOXES,
}
"""Sentences for health checks with a warning."""
CHECK_REMEDIES: Mapping[str, LazyString] = {
    "cloud": _("This machine answers alone and tries it again by itself."),
    "quota": _("This machine answers alone until it resets; see Answers."),
    "retirement": _("Bring models and photos home: `triof doctor` names the commands."),
    "slot": _("The technician's page, and `triof slot`, name the part that is stuck."),
    "slot_view": _("Put the camera back, clean its lens, or take a new reference picture."),
    "disk": _("Make room on the disk."),
    "network": _("Check cable, Wi-Fi and router."),
    "temperature": _("Let air in, clean its fan."),
    "clock": _("Set the clock, or switch on its synchronisation (NTP)."),
    "memory": _("End other programs, or start the machine again."),
    **dict.fromkeys(BOXES, _("Empty it, then press “Emptied”.")),
}
STATUSES: Mapping[str, LazyString] = {"ok": _("well"), "warning": _("look at it"), "failed": _("does not work")}
TOPICS: Mapping[str, LazyString] = {
    "brightness": _("Brightness of the photos"),
    "sharpness": _("Sharpness of the photos"),
    "asked": _("How often people are asked"),
    "refused": _("How often items are handed back"),
    "corrected": _("How often people correct the machine"),
    "agreement": _("Cloud and machine disagree"),
    "confidence": _("Doubt of the model"),
    "labels": _("How often each label is seen"),
    "embedding": _("What items look like"),
    "quota": _("The quota is nearly used up."),
    "retirement": _("The cloud service is being switched off."),
    "cloud": _("The cloud does not answer."),
    "jammed": _("A part is stuck, or a deposit was not finished."),
    "camera": _("The camera gives no picture."),
    "camera_frozen": _("The camera's picture is frozen."),
    "camera_black": _("The camera's pictures are black."),
    "camera_overexposed": _("The camera's pictures are white."),
    "camera_blurred": _("The camera's pictures are blurred."),
    "camera_covered": _("Something covers the camera."),
    "slot_view": _("The camera no longer sees the slot as before."),
    "disk": _("The disk is nearly full."),
    "journal": _("The journal needs care."),
    **BOXES,
}
STATES: Mapping[str, LazyString] = {
    "learning": _("still learning"),
    "quiet": _("as before"),
    "alarm": _("has changed"),
}
LABELS: Mapping[str, LazyString] = {
    "bottle": _("Bottle"),
    "cup": _("Cup"),
    "cutlery": _("Cutlery"),
    "other": _("Something else"),
    "clean": _("Clean"),
    "dirty": _("Dirty"),
}
OPINIONS: Mapping[str, LazyString] = {
    "promote": _("Promote it"),
    "keep": _("Keep what is in service"),
    "wait": _("Wait"),
}
TRIALS: Mapping[str, LazyString] = {
    "shadow": _("asked, never believed"),
    "canary": _("believed in a share of the deposits"),
}
BREAKERS: Mapping[str, LazyString] = {
    "closed": _("answers"),
    "open": _("not asked, as it failed"),
    "half_open": _("is being tried again"),
}
FAILURES: Mapping[str, LazyString] = {
    "ProviderUnavailable": _("did not answer"),
    "BreakerOpen": _("was not asked, as it had failed before"),
    "RateLimited": _("was asked too fast"),
    "QuotaExceeded": _("quota used up"),
    "ProviderMisconfigured": _("not set up"),
    "ServiceRetired": _("is retired"),
    "ModelStopped": _("model not running"),
    "PhotoRejected": _("could not read the photo"),
}
PROVIDERS: Mapping[str, LazyString] = {
    "custom_vision": _("Cloud (Custom Vision)"),
    "rekognition": _("Cloud (Rekognition)"),
    "local_cnn": _("This machine"),
    "onnx": _("This machine"),
    "fake": _("Rehearsal"),
}


def signal(name: str) -> str:
    """Return the name of a signal or alert from its dotted name (:mod:`triof.monitoring.signals`)."""
    topic, task = [*name.removeprefix("drift.").split("."), ""][:2]
    told = str(TOPICS.get(topic, topic))
    return f"{told} \N{EN DASH} {TASKS[task]}" if task in TASKS else told


def check(name: str, status: Status) -> str:
    """Return the sentence for a health check that is not ok."""
    mild = CHECK_WARNINGS.get(name) if status == "warning" else None
    return str(mild or CHECKS.get(name, name))


def check_remedy(name: str) -> str:
    """Return the remedy, or where to find it."""
    return str(CHECK_REMEDIES.get(name) or _("On the machine, `triof doctor` names the remedy."))


def check_name(name: str) -> str:
    """Return the name of a health check."""
    return str(CHECK_NAMES.get(name, name))


def alert_remedy(name: str) -> str:
    """Return what to do about an alert without a fault code."""
    return str(_("See Models.")) if name.startswith("drift.") else check_remedy(name)


def pieces(waste_type: str, number: int) -> str:
    """Return the name of ``number`` items of a type, without the number."""
    if waste_type == "bottle":
        return str(ngettext("bottle", "bottles", number))
    if waste_type == "cup":
        return str(ngettext("cup", "cups", number))
    return str(ngettext("piece of cutlery", "pieces of cutlery", number))


def label(name: str) -> str:
    """Return the name of a label; empty for a signal about all labels."""
    return str(LABELS.get(name, name))


def count(number: float) -> str:
    """Format a count."""
    return str(format_decimal(round(number)))


def decimal(number: float, digits: int = 1) -> str:
    """Format a number with ``digits`` decimals."""
    return str(format_decimal(round(number, digits), format=f"#,##0.{'0' * digits}"))


def amount(number: float) -> str:
    """Format a measured number, with fewer decimals the larger it is."""
    return count(number) if number >= 100 else decimal(number)


def share(part: float) -> str:
    """Format a share from 0 to 1 as a percentage with at most one decimal."""
    return str(format_percent(part, format="#,##0.#\N{NO-BREAK SPACE}%"))


def percent_of(part: float) -> str:
    """Format a share as a percentage without decimals; may exceed 100 %."""
    return str(format_percent(part, format="#,##0\N{NO-BREAK SPACE}%"))


def seconds(number: float) -> str:
    """Format a duration in seconds; a short one in milliseconds."""
    if 0 < number < 0.1:
        return f"{count(number * 1000)}\N{NO-BREAK SPACE}ms"
    return f"{decimal(number, 2)}\N{NO-BREAK SPACE}s"


def short_seconds(number: float) -> str:
    """Format a duration in seconds without needless decimals."""
    return f"{format_decimal(number)}\N{NO-BREAK SPACE}s"


def between(low: float, high: float) -> str:
    """Return the words for the sides of a confidence interval, shares from 0 to 1."""
    digits = 0 if round(100 * low) != round(100 * high) else 1
    sides = [decimal(100 * side, 1) if digits else count(100 * side) for side in (low, high)]
    return str(_("between %(low)s and %(high)s of 100", low=sides[0], high=sides[1]))


def long_duration(number: float) -> str:
    """Format a duration in seconds by its largest unit: seconds, minutes, hours or days."""
    return str(format_timedelta(timedelta(seconds=number), threshold=1.5))


def euros(number: float) -> str:
    """Format an amount in euros."""
    return str(format_currency(number, "EUR"))


def day(moment: date) -> str:
    """Format a date without its year."""
    return _with_ordinal(moment.day, str(format_date(moment, "d MMM")))


def long_day(moment: date) -> str:
    """Format a date with its year."""
    return _with_ordinal(moment.day, str(format_date(moment, "d MMM y")))


def moment(at: datetime) -> str:
    """Format a date and time in the time zone of the reports; ``at`` is aware."""
    return _with_ordinal(to_user_timezone(at).day, str(format_datetime(at, "d MMM HH:mm")))


def clock(at: datetime) -> str:
    """Format the time of day in the time zone of the reports; ``at`` is aware."""
    return str(format_datetime(at, "HH:mm"))


def _with_ordinal(day_of_month: int, text: str) -> str:
    """Return the text of a date; in French the first of a month is an ordinal."""
    return f"1er{text[1:]}" if day_of_month == 1 and str(get_locale()) == "fr" else text


def person(actor: str) -> str:
    """Return the actor's name; the one of the technician's PIN has none."""
    return str(_("technician")) if actor == BY_PIN else actor


def failure(code: str) -> str:
    """Return why a provider did not answer."""
    return str(FAILURES.get(code, code))


def provider(name: str) -> str:
    """Return the name of a provider."""
    return str(PROVIDERS.get(name, name))


def model(name: str) -> str:
    """Return the name of a model version."""
    if name == SHIPPED:
        return str(_("the one that comes with Triof"))
    return name or str(_("not set up"))


FILTERS: Mapping[str, Callable[..., str]] = {
    "counted": count,
    "decimal": decimal,
    "amount": amount,
    "share": share,
    "percent_of": percent_of,
    "seconds": seconds,
    "long_duration": long_duration,
    "euros": euros,
    "day": day,
    "long_day": long_day,
    "moment": moment,
    "clock": clock,
    "person": person,
    "check": check,
    "check_name": check_name,
    "check_remedy": check_remedy,
    "pieces": pieces,
    "failure": failure,
    "signal": signal,
    "label": label,
    "provider": provider,
    "model": model,
}
