"""The append-only journal of events, with backups and repairs; queries about it are in ``statistics``."""
