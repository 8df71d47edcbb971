"""Names of labels and splits in folders and manifests.

Case, blanks, Unicode forms (:func:`providers.text_files.plain`) and the plural are ignored. A label may also
be named by its cloud tag, as in the setting ``custom_vision.tags``. A manifest may also state
the ``material`` of an item: only plastic counts as a bottle, a cup or cutlery.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, cast, get_args

from providers.base import LABELS, Task
from providers.text_files import plain

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

Tags = Mapping[str, str]
"""The cloud's tags in the form of :func:`~providers.text_files.plain`, each with its label."""
NO_TAGS: Tags = MappingProxyType({})

_LABELS: Mapping[str, str] = {
    **{name: label for labels in LABELS.values() for label in labels for name in (label, f"{label}s")},
    **dict.fromkeys(("negative", "negatives", "trash"), "other"),
}
_FOREIGN = frozenset(("paper", "cardboard", "foam", "wood", "metal", "glass"))
_UNTOLD = frozenset(("mixed", "not_item", "unsure"))
_SPLIT = re.compile(
    r"(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation)?)?|dev)|(?P<test>tests?|testing))(?:[ _-]?set)?(?:\d{4})?"
)


def label_named(task: Task, name: str, tags: Tags = NO_TAGS) -> str | None:
    """Return the label of ``task`` that ``name`` means, or None."""
    word = plain(name)
    label = _LABELS.get(word) or tags.get(word)
    return label if label in LABELS[task] else None


def labels_named(names: Iterable[str], tags: Tags = NO_TAGS) -> dict[Task, str]:
    """Return the labels among ``names``, such as those of folders; the last one of each task."""
    found = ((task, label_named(task, name, tags)) for name in names for task in LABELS)
    return {task: label for task, label in found if label}


def is_foreign(material: str) -> bool:
    """Return whether an item of that material is other, whatever its shape."""
    return plain(material) in _FOREIGN


def is_untold(material: str) -> bool:
    """Return whether the material is uncertain, so that the photo has no waste type."""
    return plain(material) in _UNTOLD


def split_named(names: Iterable[str]) -> Split | None:
    """Return the split among ``names``, the last one of several; else None."""
    found = [match for name in names if (match := _SPLIT.fullmatch(plain(name)))]
    return cast(Split, found[-1].lastgroup) if found else None
