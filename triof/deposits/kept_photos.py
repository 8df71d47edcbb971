"""Keeps the photos of deposits that ``privacy.keep_photos`` allows.

A photo that is not to be kept is never written: until the person has confirmed or corrected the type, it is only in
memory. With ``cut_to_item``, only the part with the item is kept. With ``unsure_and_corrected`` these are:

- when the photo is judged, one that the machine asks about;
- when the person confirms, one whose predicted type the person corrected.
"""

from providers.event_log import get_logger
from triof.deposits.item_cut import cut_to_item
from triof.judging.sorter import Judgement
from triof.settings.sections.privacy import PrivacySettings
from triof.storage.photo_store import PhotoStore

log = get_logger(__name__)


class KeptPhotos:
    """Adds photos to ``store`` as far as ``settings`` allow."""

    def __init__(self, store: PhotoStore, settings: PrivacySettings) -> None:
        self._store = store
        self._keep = settings.keep_photos
        self._is_cut = settings.cut_to_item

    def add_judged(self, judgement: Judgement, jpeg: bytes) -> None:
        """Store a photo that was judged, if it is to be kept whatever the person says."""
        if self._is_kept_at_once(judgement):
            self._add(judgement, jpeg)

    def add_corrected(self, judgement: Judgement, jpeg: bytes) -> None:
        """Store the photo of an item whose predicted type the person corrected."""
        if self._keep != "none" and not self._is_kept_at_once(judgement):
            self._add(judgement, jpeg)

    def _is_kept_at_once(self, judgement: Judgement) -> bool:
        return self._keep == "all" or (self._keep == "unsure_and_corrected" and judgement.verdict.action == "ask")

    def _add(self, judgement: Judgement, jpeg: bytes) -> None:
        kept = cut_to_item(jpeg, judgement.item_box) if self._is_cut else jpeg
        if kept is None:
            return
        try:
            self._store.store(judgement.photo.sha256, kept)
        except OSError:
            log.exception("photo.not_stored")  # a full disk must not stop deposits
