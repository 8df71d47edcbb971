"""The problems shown on the dashboard, the most severe first."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from flask_babel import gettext as _

from triof.monitoring.machine_monitor import ALERT
from triof.monitoring.machine_names import machine_names
from triof.services import Services
from triof.settings.tree import Settings
from triof.web.dashboard import labels

Level = Literal["bad", "look"]


@dataclass(frozen=True)
class Notice:
    """One problem; ``reason`` is the English message of the check or alert."""

    topic: str
    level: Level
    what: str
    remedy: str = ""
    reason: str = ""

    @property
    def is_about_a_box(self) -> bool:
        """Return whether a box is nearly full."""
        return self.topic in labels.BOXES


class DashboardHealth:
    """Collects failed health checks of ``services`` and open alerts."""

    def __init__(self, services: Services, settings: Settings) -> None:
        self._services = services
        self._settings = settings

    def notices(self, machines: Collection[str]) -> Sequence[Notice]:
        """Return all problems, the most severe first; empty if there is none.

        Health checks are those of this server's machine, alerts those of each of ``machines``.
        """
        troubles = list(self._services.operations.health.report().troubles())
        found = [
            Notice(
                check.name,
                "bad" if result.status == "failed" else "look",
                labels.check(check.name, result.status),
                labels.check_remedy(check.name),
                result.text,
            )
            for check, result in troubles
        ]
        found += self._alerts(machines, {check.alert for check, _result in troubles})
        return sorted(found, key=lambda notice: notice.level != "bad")

    def _alerts(self, machines: Collection[str], told: Collection[str]) -> Iterator[Notice]:
        own = self._services.journal.machine_id
        names = machine_names(self._settings, self._services.journal.database, sorted(machines))
        for alert in self._services.operations.monitoring.alerts.open(machines):
            if alert.machine == own and alert.name in told:
                continue
            what = labels.signal(alert.name)
            if alert.name.startswith(ALERT):
                what = _("%(what)s: this has changed.", what=what)
            if alert.machine != own:
                what = _("%(name)s: %(value)s", name=names[alert.machine], value=what)
            yield Notice(alert.name, "look", what, labels.alert_remedy(alert.name), alert.text)
