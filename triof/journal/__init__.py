"""What happened, append-only, with its backups and repairs; questions to it are statistics."""
