"""A local model as a web service of its own: the service, and what writes it into a folder to hand on.

It has neither machine nor database: what needs those, such as queued predictions and metrics, is in ``triof.web``.
"""
