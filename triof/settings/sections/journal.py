"""Location of the journal, and retention of photos and backups."""

from pathlib import Path

from pydantic import Field, SecretStr

from providers.options import Options


class JournalSettings(Options):
    """Location of the journal, and retention of photos and backups; 0 days or megabytes keeps none."""

    url: SecretStr | None = None
    """Any SQLAlchemy URL; None: ``journal.db`` in the home folder."""
    keep_photo_days: float = Field(30, ge=0)
    keep_photo_megabytes: float = Field(500, ge=0)
    backup_folder: Path | None = None
    """Folder of the daily backups of the journal; None: ``backups`` in the home folder."""
    keep_backup_days: float = Field(7, ge=0)
    """Retention of backups, except the newest, which is kept; 0 disables backups."""
