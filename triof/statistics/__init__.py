"""Counts and durations of deposits from the journal, for dashboard, API and reports."""
