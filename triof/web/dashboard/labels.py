"""The dashboard's sentences for codes, in English; translations/ has the other languages."""

from collections.abc import Callable, Mapping
from datetime import date, datetime

from flask_babel import LazyString, format_currency, format_date, format_datetime, format_decimal, format_percent
from flask_babel import lazy_gettext as _

from providers.local_cnn.pointer import SHIPPED
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
    "cutlery": _("Cutlery"),
    "other": _("Something else"),
}
TASKS: Mapping[str, LazyString] = {"waste_type": _("What is it?"), "cleanliness": _("Is it clean?")}
ENDINGS: Mapping[str, LazyString] = {
    "shredded": _("Shredded"),
    "returned": _("Given back"),
    "failed": _("Failed"),
    "interrupted": _("Interrupted"),
}
MODES: Mapping[str, LazyString] = {
    "auto": _("The cloud first, this machine where it does not answer"),
    "cloud": _("The cloud has to answer; a fall-back is shown as a fault"),
    "local": _("This machine alone, nothing that needs the network"),
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
    "languages": _("A language is missing."),
}
"""Sentences for failed health checks; a check that is not listed is shown by its name."""
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
}
"""Sentences for health checks with a warning."""
CHECK_REMEDIES: Mapping[str, LazyString] = {
    "cloud": _("This machine answers alone and tries it again by itself."),
    "quota": _("This machine answers alone until it resets; see Answers."),
    "retirement": _("Bring models and photos home: `triof doctor` names the commands."),
    "slot_view": _("Put the camera back, clean its lens, or take a new reference picture."),
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


def euros(number: float) -> str:
    """Format an amount in euros."""
    return str(format_currency(number, "EUR"))


def day(moment: date) -> str:
    """Format a date without its year."""
    return str(format_date(moment, "d MMM"))


def long_day(moment: date) -> str:
    """Format a date with its year."""
    return str(format_date(moment, "d MMM y"))


def moment(at: datetime) -> str:
    """Format a date and time in local time."""
    return str(format_datetime(at, "d MMM HH:mm", rebase=False))


def clock(at: datetime) -> str:
    """Format the time of day."""
    return str(format_datetime(at, "HH:mm", rebase=False))


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
    "euros": euros,
    "day": day,
    "long_day": long_day,
    "moment": moment,
    "clock": clock,
    "failure": failure,
    "signal": signal,
    "label": label,
    "provider": provider,
    "model": model,
}
