"""Is the machine well? Named checks, asked once and shown everywhere: no page, no command and no address of its own.

A new check is one function with :func:`.check.health_check` in one of the ``*_checks`` modules.
"""
