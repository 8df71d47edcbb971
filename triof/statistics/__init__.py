"""Counts and durations of deposits for dashboard, API and reports, from the journal; nothing here draws or judges."""
