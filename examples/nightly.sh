#!/bin/sh
# For cron: takes one of several copies out of use, works on it, and puts it back. The others serve meanwhile.
#
#     ./nightly.sh 127.0.0.1:3001 ./compact-database
set -eu
endpoint=$1
shift

sluice drain "$endpoint" --wait --window 30s
trap 'sluice undrain "$endpoint"' EXIT
"$@"
