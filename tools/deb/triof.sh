#!/bin/sh
# Runs Triof. Root becomes the machine's user first, who could not read what root writes.
export TRIOF_HOME="${TRIOF_HOME:-/var/lib/triof}"
program=/opt/triof/venv/bin/triof
case "$(id -u):$1" in
    0:install-service | 0:uninstall-service) ;;
    0:*)
        # It may not even look for an .env in root's folders.
        runuser -u triof -- test -r . -a -x . || cd "$TRIOF_HOME" || exit 1
        exec runuser -u triof -- "$program" "$@"
        ;;
esac
exec "$program" "$@"
