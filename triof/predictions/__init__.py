"""Asynchronous predictions: the queue, and the results that the API tells; the addresses are in web/api."""
