"""Is everything well? What somebody should look at, the worst first."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from flask_babel import gettext as _

from triof.monitoring.watched import ALERT
from triof.services import Services
from triof.web.dashboard import words
from triof.web.health import Readiness

Level = Literal["bad", "look"]
_SOON = timedelta(7)


@dataclass(frozen=True)
class Notice:
    """One thing that is not as it should be; ``why`` is the machine's own word, in English."""

    topic: str
    level: Level
    what: str
    remedy: str = ""
    why: str = ""


class Wellness:
    """Looks at the parts that ``services`` hold; cheap enough to be asked every few seconds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._readiness = Readiness(services)

    def notices(self, machines: Collection[str]) -> Sequence[Notice]:
        """Everything that is not well, the worst first; nothing where all is.

        About the machine of this server what it finds now, about each of ``machines`` which alerts are open.
        """
        found = [*self._parts(), *self._breakers(), *self._quotas()]
        found += self._alerts(machines, {notice.topic for notice in found})
        return sorted(found, key=lambda notice: notice.level != "bad")

    def _alerts(self, machines: Collection[str], told: Collection[str]) -> Iterator[Notice]:
        own = self._services.journal.machine_id
        for alert in self._services.operations.monitoring.alerts.open(machines):
            if alert.machine == own and alert.name in told:
                continue
            what = words.signal(alert.name)
            if alert.name.startswith(ALERT):
                what = _("%(what)s: this has changed.", what=what)
            if alert.machine != own:
                what = _("%(name)s: %(value)s", name=alert.machine, value=what)
            yield Notice(alert.name, "look", what, "", alert.text)

    def _parts(self) -> Iterator[Notice]:
        for part, why in self._readiness.reasons():
            topic, remedy = {"slot": "jammed"}.get(part, part), _("On the machine, `triof doctor` names the remedy.")
            yield Notice(topic, "bad", str(words.PARTS.get(part, part)), remedy, why)

    def _breakers(self) -> Iterator[Notice]:
        for name, state in self._services.sorter.router.breakers().items():
            if state != "closed":
                what = _("%(provider)s does not answer.", provider=words.provider(name))
                yield Notice("cloud", "look", what, _("This machine answers alone and tries it again by itself."))

    def _quotas(self) -> Iterator[Notice]:
        today = self._services.operations.statistics.today
        for quota in self._services.operations.statistics.quota():
            name = words.provider(quota.provider)
            if quota.retired_until:
                what = _("%(provider)s is retired.", provider=name)
                yield Notice(
                    "cloud", "look", what, _("This machine answers alone; docs/guide/azure.md tells how to go on.")
                )
            elif quota.exhausted:
                what = _("%(provider)s: the quota is used up.", provider=name)
                yield Notice("quota", "look", what, _("This machine answers alone until it resets; see Answers."))
            elif quota.runs_out_on and quota.runs_out_on <= today + _SOON:
                day = words.day(quota.runs_out_on)
                what = _("%(provider)s: the quota runs out on %(day)s.", provider=name, day=day)
                yield Notice("quota", "look", what, _("From then on this machine answers alone; see Answers."))
