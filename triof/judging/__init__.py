"""From image bytes to a verdict: photo, router, providers with quota and circuit breaker; nothing is recorded here."""
