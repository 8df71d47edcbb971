"""The cloud project: upload, ledger, backup and evaluation; single predictions are in providers."""
