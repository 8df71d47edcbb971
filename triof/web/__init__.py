"""The HTTP server: the touchscreen's pages, the dashboard, the API, and the health endpoints."""
