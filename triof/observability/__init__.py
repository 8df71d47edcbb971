"""Metrics, logs, system figures and health checks of the running program; models and drift are monitoring."""
