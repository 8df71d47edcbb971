"""Whether machine and models are as well as they were: drift, alerts, and who is told."""
