"""Builds a data set from the machine's own photos, with confirmed labels only.

Labels are taken from the journal as follows, without guesses:

- the waste type is the confirmed one, whether the employee agreed with the machine or corrected it; ``other`` if they
  said that it is none of the types;
- cleanliness is what they said, when the page asked "Is it empty and clean?";
- any other returned item has no label, as no person confirmed one.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, cast, get_args

from providers.base import TASKS, Prediction, Task
from providers.local_cnn.bundle import BundleCard
from triof.common.atomic_files import replace_file
from triof.common.image_files import pictures_in
from triof.curation.folder_lock import alone_in
from triof.datasets import photo_dataset
from triof.datasets.photo_dataset import MANIFEST, DatasetError, LabelledPhoto
from triof.journal.journal import ENDINGS, Journal
from triof.judging.verdict import threshold
from triof.models import bundle_store
from triof.settings.sections.journal import JournalSettings
from triof.settings.sections.policy import Policy
from triof.settings.tree import Settings
from triof.storage.photo_store import PhotoStore
from triof.storage.tables import Event, PredictionRow

Why = Literal["unfamiliar", "corrected", "unsure", "disagreeing", "confirmed", "random"]
WHYS: tuple[Why, ...] = get_args(Why)

_ASKED_IF_CLEAN = ("unsure_cleanliness", "cleanliness_not_answered")
"""Reasons for which earlier versions asked "If it's empty and clean: what is it?", and recorded the type alone."""
_TRIED_AGAIN = timedelta(minutes=2)
"""An item inserted within this time after a return is probably the same item."""
_DAY = 86_400.0


@dataclass(frozen=True)
class JournalFilter:
    """Selects deposits: those with any of the reasons ``whys``, judged from ``since`` on."""

    whys: frozenset[Why]
    share: float
    """Share of all deposits, drawn at random; from 0 to 1."""
    seed: int = 0
    since: datetime | None = None
    limit: int | None = None
    """Maximum number of new photos."""


@dataclass
class ExtractionCounts:
    """Counts of the examined deposits, by outcome."""

    copied: Counter[Why] = field(default_factory=Counter)
    """New photos by reason; a photo may have several."""
    new: int = 0
    labelled: Counter[Task] = field(default_factory=Counter)
    there: int = 0
    """Photos already in the folder."""
    gone: int = 0
    """Photos no longer stored."""
    drilled: int = 0
    confirmed_left_out: int = 0
    """Deposits with a confirmed type, but none of the selected reasons."""


@dataclass(frozen=True)
class JournaledDeposit:
    """The journal's data on one deposit. ``group`` is shared by repeated tries of one item."""

    judged: Event
    events: Sequence[Event]
    accepted: Mapping[str, PredictionRow]
    alternatives: Sequence[PredictionRow]
    group: str

    @property
    def confirmed(self) -> str | None:
        """The confirmed waste type, or None."""
        return next((event.waste_type for event in self.events if event.kind == "deposit.confirmed"), None)

    @property
    def cleanliness(self) -> str | None:
        """What the employee said about it, or None."""
        confirmed = next((event for event in self.events if event.kind == "deposit.confirmed"), None)
        if not confirmed:
            return None
        if_clean = self.judged.reason in _ASKED_IF_CLEAN and confirmed.waste_type != "other"
        return cast(str | None, confirmed.detail.get("cleanliness", "clean" if if_clean else None))

    @property
    def photo(self) -> str:
        """The photo's name in the photo store."""
        return str(self.judged.detail["photo"])

    @property
    def ended(self) -> bool:
        """Whether the deposit has ended."""
        return any(event.kind in ENDINGS for event in self.events)


def collect(journal: Journal, out: Path, journal_filter: JournalFilter, settings: Settings) -> ExtractionCounts:
    """Copy the photos to ``out`` and add them to its manifest; existing entries are not changed.

    Raises DatasetError if this machine keeps no photos, or would remove the copies, or the manifest cannot be read;
    and FolderUnusable. After any error, the photos copied so far are in the manifest.
    """
    _check_allowed(settings, settings.home / "photos", out)
    if not (out / MANIFEST).exists() and pictures_in(out):
        raise DatasetError(f"{out} holds photos without a manifest, which ours would hide: name another folder.")
    with alone_in(out):
        return _collect(journal, out, journal_filter, settings)


def _collect(journal: Journal, out: Path, journal_filter: JournalFilter, settings: Settings) -> ExtractionCounts:
    keep, photo_store = settings.journal, PhotoStore.of(settings)
    cards = bundle_store.cards(settings, "waste_type")
    manifest = out / MANIFEST
    rows = list(photo_dataset.read(manifest).photos) if manifest.exists() else []
    known = {item.path.stem for item in rows}
    tally = ExtractionCounts()
    try:
        for seen in _seen(journal, journal_filter, tally):
            whys = [
                why
                for why in WHYS
                if why in journal_filter.whys and _is(why, seen, journal_filter, settings.policy, cards)
            ]
            if not whys:
                tally.confirmed_left_out += seen.confirmed is not None
                continue
            if seen.photo in known:
                tally.there += 1
            elif image := _kept(photo_store.path(seen.photo), keep):
                rows.append(_copied(seen, whys, image, out))
                known.add(seen.photo)
                _count(tally, whys, rows[-1])
            else:
                tally.gone += 1
            if tally.new == journal_filter.limit:
                break
    finally:
        if tally.new:
            photo_dataset.write(manifest, rows)
    return tally


def labels(seen: JournaledDeposit) -> dict[Task, str]:
    """Return the confirmed labels of the photo."""
    if not seen.confirmed:
        return {}
    return {"waste_type": seen.confirmed, **({"cleanliness": seen.cleanliness} if seen.cleanliness else {})}


def _check_allowed(settings: Settings, photos: Path, out: Path) -> None:
    for name in ("keep_photo_days", "keep_photo_megabytes"):
        if not getattr(settings.journal, name):
            raise DatasetError(
                f"This machine keeps no photos (journal.{name} = 0), so none may be copied either: where the people who"
                " use it agree, set it to more than 0 and come back later."
            )
    if settings.privacy.keep_photos == "none":
        raise DatasetError(
            "This machine keeps no photos (privacy.keep_photos = none), so none may be copied either: where the people"
            " who use it agree, set it to unsure_and_corrected or all and come back later."
        )
    if out.resolve().is_relative_to(photos.resolve()):
        raise DatasetError(f"{out} lies in {photos}, which the machine clears: name another folder.")


def _seen(journal: Journal, journal_filter: JournalFilter, tally: ExtractionCounts) -> Iterator[JournaledDeposit]:
    """Yield every ended deposit, oldest first, as its photo is removed first; drills are left out."""
    drilled = journal.drilled()
    before: JournaledDeposit | None = None
    for events, predictions in journal.judged(journal_filter.since):
        judged = next(event for event in events if event.kind == "deposit.judged")
        accepted = {row.task: row for row in predictions if row.believed}
        group = before.group if before and _again(before, judged) else str(judged.deposit_id)
        before = JournaledDeposit(judged, events, accepted, [row for row in predictions if not row.believed], group)
        if judged.deposit_id in drilled:
            tally.drilled += 1
        elif before.ended:
            yield before


def _again(before: JournaledDeposit, judged: Event) -> bool:
    """Return whether the item of ``judged`` was returned just before."""
    returned = next((event.at for event in before.events if event.kind == "deposit.returned"), None)
    return returned is not None and returned <= judged.at <= returned + _TRIED_AGAIN


def _is(
    why: Why, seen: JournaledDeposit, journal_filter: JournalFilter, policy: Policy, cards: Mapping[str, BundleCard]
) -> bool:
    predicted = seen.accepted.get("waste_type")
    if why == "unfamiliar":
        return seen.judged.reason == "unfamiliar" or seen.judged.detail.get("unfamiliarity", 0.0) >= 1
    if why == "corrected":
        return bool(seen.confirmed and predicted and seen.confirmed != predicted.label)
    if why == "unsure":
        return seen.judged.detail["action"] == "ask" or _dirty_and_unsure(seen, policy, cards)
    if why == "disagreeing":
        return any(
            row.task in seen.accepted and row.label != seen.accepted[row.task].label for row in seen.alternatives
        )
    if why == "confirmed":
        return seen.confirmed is not None
    drawn = hashlib.sha256(f"{journal_filter.seed}:{seen.judged.deposit_id}".encode()).hexdigest()
    return int(drawn[:8], 16) < journal_filter.share * 0x1_0000_0000


def _dirty_and_unsure(seen: JournaledDeposit, policy: Policy, cards: Mapping[str, BundleCard]) -> bool:
    """Return whether it was returned as dirty although its type was unsure."""
    row = seen.accepted.get("waste_type")
    if not row or seen.judged.reason != "dirty":
        return False
    if "label" in seen.judged.detail:
        return seen.judged.detail["label"] is None
    # Earlier versions did not record it. If the model is removed, use the policy's threshold.
    thresholds = cards[row.model_version].thresholds if row.model_version in cards else {}
    said = Prediction(
        "waste_type", row.label, row.probability, row.scores, row.provider, row.model_version, thresholds=thresholds
    )
    return row.probability < threshold(said, row.label, policy)[0]


def _kept(path: Path, keep: JournalSettings) -> bytes | None:
    """Return the photo; None if it is removed, or would be at the kiosk's next run."""
    try:
        if time.time() - path.stat().st_mtime > keep.keep_photo_days * _DAY:
            return None
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _copied(seen: JournaledDeposit, whys: Sequence[Why], image: bytes, out: Path) -> LabelledPhoto:
    path = out / "photos" / f"{seen.photo}.jpg"
    replace_file(path, image)
    notes = {
        "source": "journal",
        "machine_id": seen.judged.machine_id,
        "deposit": str(seen.judged.deposit_id),
        "at": seen.judged.at.isoformat(timespec="seconds"),
        "why": " ".join(whys),
        "verdict": f"{seen.judged.detail['action']} {seen.judged.reason}",
    }
    for task in TASKS:
        row = seen.accepted.get(task)
        notes |= {
            f"{task}_predicted": row.label if row else "",
            f"{task}_probability": f"{row.probability:.4f}" if row else "",
            f"{task}_model_version": row.model_version if row else "",
        }
    return LabelledPhoto(path, labels(seen), seen.group, photo_dataset.split_for(seen.group), notes)


def _count(tally: ExtractionCounts, whys: Sequence[Why], item: LabelledPhoto) -> None:
    tally.new += 1
    tally.copied.update(whys)
    tally.labelled.update(list(item.labels))
