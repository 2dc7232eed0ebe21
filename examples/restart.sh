#!/bin/sh
# Restarts an application in its place: one copy, one port. Requests wait meanwhile, in order, and none fails.
#
#     ./restart.sh systemctl --user restart app
set -eu
exec sluice with-pause --wait-idle 10s -- "$@"
