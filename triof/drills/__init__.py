"""Fault injection into the running machine, and a visitor that checks the pages; tests have their own fakes."""
