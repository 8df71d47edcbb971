"""Named health checks of the machine, run once and shown by every page, command and endpoint.

To add a check, decorate a function with :func:`.check.health_check` in one of the ``*_checks`` modules.
"""
