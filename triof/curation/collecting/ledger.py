"""The ledger of collected addresses: one JSON line each, appended at once, so that a killed run can resume.

A photo is written in three steps, so that a killed run can be repaired: the line ``writing``, the file, the line
``kept``. ``listed`` marks that the manifest has all photos kept before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triof.common.atomic_files import append_line

LEDGER = ".collect.jsonl"


@dataclass
class CollectionLedger:
    """The ledger of one folder, read when it is opened. Raises OSError."""

    folder: Path
    _entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest line of each address."""
    _unlisted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path = self.folder / LEDGER
        content = self._path.read_bytes() if self._path.exists() else b""
        for line in content.splitlines():
            try:
                self._note(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # a line torn by a power cut

    def entry(self, address: str) -> dict[str, Any] | None:
        """Return the latest line of an address, or None."""
        return self._entries.get(address)

    def entries(self, outcome: str) -> list[dict[str, Any]]:
        """Return the lines of all addresses with that outcome, oldest first."""
        return [entry for entry in self._entries.values() if entry["outcome"] == outcome]

    def unlisted(self) -> Iterator[dict[str, Any]]:
        """Yield the kept photos that are not in the manifest yet."""
        return (self._entries[address] for address in self._entries if address in self._unlisted)

    def add(self, address: str, outcome: str, **facts: Any) -> None:
        """Append a line durably."""
        entry = {"address": address, "outcome": outcome, **facts}
        self._append(entry)
        self._note(entry)

    def mark_listed(self) -> None:
        """Record that the manifest has all kept photos."""
        if self._unlisted:
            self._append({"listed": True})
            self._unlisted.clear()

    def _note(self, entry: dict[str, Any]) -> None:
        if entry.get("listed"):
            self._unlisted.clear()
            return
        self._entries[entry["address"]] = {"outcome": entry["outcome"], **entry}
        if entry["outcome"] == "kept":
            self._unlisted.add(entry["address"])

    def _append(self, entry: dict[str, Any]) -> None:
        append_line(self._path, json.dumps(entry).encode(), 0o644)
