"""The latest faults of the machine, each with its code, what it was and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from triof.operations.records import RecordedFault
from triof.web import fault_codes
from triof.web.dashboard import labels

_PARTS = ("slot", "box", "shredder")
_JAM = "S1"


@dataclass(frozen=True)
class ShownFault:
    """One fault; ``code`` is empty for one without, ``seconds`` is how long it lasted, if it is over."""

    at: datetime
    code: str
    what: str
    remedy: str
    seconds: float | None


def shown(recorded: Sequence[RecordedFault]) -> Iterator[ShownFault]:
    """Yield the faults, newest first; the end of one is told with its beginning."""
    over: dict[str, float | None] = {}
    for fault in recorded:
        if fault.kind == "machine.in_order":
            over[fault.code] = fault.seconds
        elif fault.kind == "machine.out_of_order":
            row = fault_codes.of(fault.code)
            yield ShownFault(fault.at, fault.code, str(row.cause), str(row.remedy), over.pop(fault.code, None))
        elif fault.kind == "deposit.failed":
            yield _unfinished(fault)
        elif fault.kind == "alert.fired" and not fault.code:
            yield ShownFault(fault.at, "", labels.signal(fault.name), labels.alert_remedy(fault.name), None)


def _unfinished(fault: RecordedFault) -> ShownFault:
    what = _("A deposit was not finished.")
    if fault.text not in _PARTS:
        return ShownFault(fault.at, "", what, labels.check_remedy("slot"), None)
    return ShownFault(fault.at, _JAM, what, str(fault_codes.of(_JAM).remedy), None)
