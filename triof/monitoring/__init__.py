"""Monitoring of machine and models: drift detection, alerts and their delivery."""
