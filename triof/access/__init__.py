"""Access control: API keys, dashboard users and rate limits; the checks of a request are in web."""
