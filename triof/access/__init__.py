"""Who may do what: keys of the API, users of the dashboard, rate limits; the checks of a request are in web."""
