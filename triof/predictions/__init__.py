"""Asynchronous predictions: the queue and the stored results of the API; the routes are in web/api."""
