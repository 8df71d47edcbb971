"""From image bytes to a verdict: photo, router, providers with quota and circuit breaker; records nothing."""
