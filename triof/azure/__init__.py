"""The project in the cloud: upload, ledger, backup, evaluation; single predictions go through providers."""
