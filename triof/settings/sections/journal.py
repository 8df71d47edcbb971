"""Where the journal is, and how long photos and copies are kept."""

from pathlib import Path

from pydantic import Field, SecretStr

from providers.options import Options


class JournalSettings(Options):
    """Where the journal is and how long photos and copies are kept; 0 days or megabytes keeps none."""

    url: SecretStr | None = None
    """Any SQLAlchemy URL; None: ``journal.db`` in the home folder."""
    keep_photo_days: float = Field(30, ge=0)
    keep_photo_megabytes: float = Field(500, ge=0)
    backup_folder: Path | None = None
    """Where a copy of the journal is put once a day; None: ``backups`` in the home folder."""
    keep_backup_days: float = Field(7, ge=0)
    """How long copies are kept, the newest one longer; 0: none is made."""
