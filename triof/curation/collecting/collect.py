"""Collects photos for a label: search a source, download, check, drop duplicates, store with licence."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from triof.common.errors import TriofError
from triof.curation.collecting import fetch_errors
from triof.curation.collecting.http_client import Web
from triof.curation.collecting.photo_folder import PhotoFolder
from triof.curation.collecting.sources.base import (
    UNKNOWN,
    FoundPhoto,
    PhotoSource,
    SourceError,
    allows_commerce_and_change,
)
from triof.curation.folder_lock import alone_in
from triof.curation.photo_checks import SHORTEST_SIDE, NotAdmitted, admit
from triof.settings.sections.photo import DEFAULT_LIMITS, PhotoLimits

OUTCOMES = {
    "kept": "now in the folder",
    "kept before": "by an earlier run of this command",
    "seen before": "an earlier run has dropped it, or has it under another query",
    "duplicate": "the same file, or nearly the same picture, is there already",
    "not a photo": f"a page, a drawing, damaged, or a side below {SHORTEST_SIDE} pixels",
    "licence": "does not allow commercial use and change, or is not known",
    "gone": "nothing there any more",
    "too large": "more bytes or pixels than photo.max_bytes, max_pixels and max_side allow",
    "refused": "the host does not let us in",
    "not asked": "robots.txt keeps programs out, or it is no public address",
    "later": "no answer in time; the next run tries again",
}
"""Outcomes of an address, in the order of the table, with their meaning."""

_SAVE_EVERY = 50
_SILENT_AT_FIRST, _SILENT_LATER = 5, 20
"""Consecutive addresses without a response after which the network counts as down."""
_GOES_ON = "it goes on where it stopped."
_FAULTS: dict[type[fetch_errors.FetchError], str] = {
    fetch_errors.Gone: "gone",
    fetch_errors.FetchRefused: "refused",
    fetch_errors.KeptOut: "not asked",
    fetch_errors.TooLarge: "too large",
    fetch_errors.NotWanted: "not a photo",
    fetch_errors.Unreachable: "later",
    fetch_errors.Busy: "later",
}
_ASKED_AGAIN = ("kept", "not asked", "later")
"""Outcomes that are not recorded in the ledger."""


class CollectError(TriofError):
    """Collecting cannot begin or go on; the message says why and how to continue."""


@dataclass(frozen=True)
class CollectRequest:
    """The query, and the labels and notes of each photo. ``count`` is over all runs, None for all."""

    query: str
    label: str
    cleanliness: str | None = None
    count: int | None = None
    author: str = ""
    licence: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """Labels by task, as in a manifest."""
        return {"waste_type": self.label, **({"cleanliness": self.cleanliness} if self.cleanliness else {})}


class Collection:
    """One run: ``tally`` counts the outcomes, ``unlicensed`` the kept photos without licence."""

    def __init__(
        self,
        request: CollectRequest,
        source: PhotoSource,
        client: Web,
        limits: PhotoLimits = DEFAULT_LIMITS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.request, self._source, self._web, self._limits, self._now = request, source, client, limits, now
        self.tally: Counter[str] = Counter()
        self.unlicensed = 0
        self.vanished = 0
        self._silent, self._heard, self._last_silence = 0, False, ""

    @property
    def kept(self) -> int:
        """Photos of this query in the folder, from all runs."""
        return self.tally["kept"] + self.tally["kept before"]

    @property
    def is_complete(self) -> bool:
        """Whether the wanted number is reached."""
        return self.request.count is not None and self.kept >= self.request.count

    def run(self, folder: Path, on_step: Callable[[], None]) -> None:
        """Collect into ``folder`` until there are enough or no more photos. Raises CollectError, TriofError."""
        with alone_in(folder):
            album = PhotoFolder(folder, self._limits)
            self.vanished = album.vanished
            entries = album.ledger.entries("kept")
            self.tally["kept before"] = sum(self._is_ours(entry) and album.holds(entry) for entry in entries)
            try:
                self._collect(album, on_step)
            finally:
                album.save()

    def _collect(self, album: PhotoFolder, on_step: Callable[[], None]) -> None:
        on_step()
        for candidate in self._candidates():
            if self.is_complete:
                return
            if outcome := self._take(album, candidate):
                self.tally[outcome] += 1
                if outcome == "kept" and self.tally["kept"] % _SAVE_EVERY == 0:
                    album.save()
            on_step()
        if self._silent and not self._heard:
            raise self._no_response()

    def _candidates(self) -> Iterator[FoundPhoto]:
        if self.is_complete:
            return
        try:
            for candidate in self._source.find(self.request.query):
                author, licence = candidate.author, candidate.licence
                yield replace(
                    candidate,
                    author=author or self.request.author,
                    licence=(self.request.licence or UNKNOWN) if licence == UNKNOWN else licence,
                )
        except fetch_errors.Unreachable as error:
            raise CollectError(f"{error} Check the network, then run the same command again: {_GOES_ON}") from error
        except fetch_errors.Busy as error:
            raise CollectError(f"{error} Run the same command again then: {_GOES_ON}") from error
        except fetch_errors.FetchError as error:
            raise SourceError(f"{self._source.name} cannot be searched: {error}") from error

    def _take(self, album: PhotoFolder, candidate: FoundPhoto) -> str | None:
        """Return the outcome of a candidate; None for one kept by an earlier run, which is already counted."""
        entry = album.ledger.entry(candidate.address)
        if entry and entry["outcome"] != "writing":
            return None if entry["outcome"] == "kept" and self._is_ours(entry) else "seen before"
        if not allows_commerce_and_change(candidate.licence, vouched_for=not self._source.searches):
            return "licence"
        if 0 < min(candidate.width, candidate.height) < SHORTEST_SIDE:
            return "not a photo"
        outcome = self._fetch(album, candidate)
        if outcome not in _ASKED_AGAIN:
            album.ledger.add(candidate.address, outcome, **self._request())
        return outcome

    def _fetch(self, album: PhotoFolder, candidate: FoundPhoto) -> str:
        try:
            image = self._bytes(candidate)
            admitted = admit(image, self._limits)
        except fetch_errors.FetchError as error:
            if candidate.path is None:
                self._listen(error)
            return _FAULTS[type(error)]
        except NotAdmitted as error:
            return error.outcome
        if album.known.twin(admitted):
            return "duplicate"
        album.add(candidate.address, image, admitted, self._facts(candidate))
        self.unlicensed += candidate.licence == UNKNOWN
        return "kept"

    def _bytes(self, candidate: FoundPhoto) -> bytes:
        if candidate.path is None:
            image = self._web.photo(candidate.url, max_bytes=self._limits.max_bytes, invited=self._source.searches)
            self._listen(None)
            return image
        try:
            if candidate.path.stat().st_size > self._limits.max_bytes:
                raise fetch_errors.TooLarge(f"{candidate.path} has more than {self._limits.max_bytes / 1e6:.0f} MB.")
            return candidate.path.read_bytes()
        except OSError as error:
            raise fetch_errors.Unreachable(f"{candidate.path} cannot be read ({error}).") from error

    def _listen(self, error: fetch_errors.FetchError | None) -> None:
        """Count consecutive addresses without a response. Raises CollectError."""
        if isinstance(error, fetch_errors.KeptOut):
            return
        if not isinstance(error, fetch_errors.Unreachable):
            self._silent, self._heard = 0, True
            return
        self._silent, self._last_silence = self._silent + 1, str(error)
        if self._silent >= (_SILENT_LATER if self._heard else _SILENT_AT_FIRST):
            raise self._no_response() from error

    def _no_response(self) -> CollectError:
        return CollectError(
            f"{self._silent} addresses in a row gave no answer, at last: {self._last_silence} Check the network, then"
            f" run the same command again: {_GOES_ON} If only those hosts are gone, leave their addresses out."
        )

    def _request(self) -> dict[str, str]:
        return {"label": self.request.label, "source": self._source.name, "query": self.request.query}

    def _is_ours(self, entry: dict[str, Any]) -> bool:
        return self._request().items() <= entry.items()

    def _facts(self, candidate: FoundPhoto) -> dict[str, Any]:
        notes = {
            "source": candidate.source,
            "title": candidate.title,
            "author": candidate.author,
            "licence": candidate.licence,
            "licence_url": candidate.licence_url,
            "page_url": candidate.page_url,
            "url": candidate.address,
            "query": self.request.query,
            "collected_at": self._now().isoformat(timespec="seconds"),
        }
        return {**self._request(), "labels": self.request.labels, "notes": notes}
