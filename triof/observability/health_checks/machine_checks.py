"""Checks of the camera and the slot."""

from triof.common.image_files import look_in
from triof.machine.slot import SlotError
from triof.monitoring.event_reader import latest_first
from triof.observability.health_checks.check import CheckedParts, CheckResult, faulty, health_check, ok, warning


@health_check(needed=True, alert="camera")
def camera(parts: CheckedParts) -> CheckResult | None:
    """Check that the camera can take a picture."""
    if not parts.camera:
        return None
    found = parts.camera()
    found.ping()
    if found.kind != "folder":
        return ok(found.kind)
    folder = parts.settings.camera.folder
    if remark := look_in(folder).remark:
        return warning(remark, alert="clear")
    return ok(f"{found.kind} {folder}")


@health_check(needed=True, alert="jammed")
def slot(parts: CheckedParts) -> CheckResult | None:
    """Check for a jammed part, and that the latest deposit was finished."""
    unfinished = _unfinished(parts)
    if not parts.slot:
        return unfinished
    found = parts.slot()
    try:
        if fault := found.fault():
            raise fault
        is_open = found.is_open()
    except SlotError as error:
        return faulty(error)
    slot_settings = parts.settings.slot
    return unfinished or ok(f"{slot_settings.kind}, {'open' if is_open else 'closed'}, boxes {slot_settings.boxes}")


def _unfinished(parts: CheckedParts) -> CheckResult | None:
    journal = parts.journal()
    if not journal:
        return None
    with journal.database.read() as connection:
        failures, shredded, returned = (
            latest_first(connection, journal.machine_id, kind, 1)
            for kind in ("deposit.failed", "deposit.shredded", "deposit.returned")
        )
    if not failures or any(over and over[0].at >= failures[0].at for over in (shredded, returned)):
        return None
    return warning(
        f"The latest deposit was not finished ({failures[0].reason}).", "`triof slot` names the part that is stuck."
    )
