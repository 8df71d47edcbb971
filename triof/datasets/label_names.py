"""What people call labels and splits: in the names of folders and in the cells of manifests.

Case, blanks and Unicode forms do not matter (:func:`providers.text_files.plain`), nor does the plural. A label may also
be called by a tag of the cloud that means it, as the settings say in ``custom_vision.tags``. A manifest may also tell
of what ``material`` an item is: only plastic counts as a bottle, a cup or cutlery.
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
"""The cloud's tags in the form of :func:`~providers.text_files.plain`, each with the label that it means."""
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
    """The label of ``task`` that ``name`` means, if it means one."""
    word = plain(name)
    label = _LABELS.get(word) or tags.get(word)
    return label if label in LABELS[task] else None


def labels_named(names: Iterable[str], tags: Tags = NO_TAGS) -> dict[Task, str]:
    """The labels among ``names``, such as those of folders; of two for one task the last."""
    found = ((task, label_named(task, name, tags)) for name in names for task in LABELS)
    return {task: label for task, label in found if label}


def is_foreign(material: str) -> bool:
    """Whether an item of that material is other, whatever its shape."""
    return plain(material) in _FOREIGN


def is_untold(material: str) -> bool:
    """Whether people could not tell the material, so that the photo says nothing of the waste type."""
    return plain(material) in _UNTOLD


def split_named(names: Iterable[str]) -> Split | None:
    """The split that one of ``names`` means, if one does; of several the last."""
    found = [match for name in names if (match := _SPLIT.fullmatch(plain(name)))]
    return cast(Split, found[-1].lastgroup) if found else None
