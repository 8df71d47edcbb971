"""Faults injected into the running machine, and a visitor who sees what people see; tests have their own fakes."""
