"""Metrics, logs, system stats and health checks of the running program; models and drift are in monitoring."""
