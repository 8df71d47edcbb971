"""Commands that install a machine: its services, and its first settings."""
