"""Shared by several commands: options, tables, errors; no command."""
