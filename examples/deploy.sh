#!/bin/sh
# Deploys a new version of an application behind Sluice while its users go on working.
#
#     ./deploy.sh "node server.js"                    another version, on the port that is free
#     MIGRATE="./migrate up" ./deploy.sh "node server.js"     and a migration that needs the database to itself
#     SLUICE_BINARY=./sluice-1.1 ./deploy.sh "node server.js"    and another Sluice
#
# Sluice was started like this, once:
#
#     sluice --config sluice.yaml --control run/control
#
# Where Sluice runs the application itself (sluice --to auto -- node server.js) a new version on disk needs one step:
#
#     sluice restart
#
# No request fails at any step. WebSockets to the old version get a Close 1001 ("going away") within DRAIN, and so do
# those that go through a Sluice that is replaced, within its drain_timeout. Every step exits with another code than 0
# when it did not happen, and then nothing has changed: the old version serves on.
set -eu

APP=${1:?usage: deploy.sh COMMAND}
SLUICE=${SLUICE:-sluice}              # the program that asks; it need not be the one that serves
RUN=${RUN:-run}                       # what is running: control socket, ports, process ids
UPSTREAM=${UPSTREAM:-default}
PORTS=${PORTS:-"3000 3001"}           # the two that versions take turns on
HEALTH=${HEALTH:-/up}
DRAIN=${DRAIN:-10s}
MIGRATE=${MIGRATE:-}
SLUICE_BINARY=${SLUICE_BINARY:-}

ask() {
  verb=$1
  shift
  "$SLUICE" "$verb" --control "$RUN/control" "$@"
}

say() {
  echo "deploy: $*"
}

# Which port is free, and who has the other one.
mkdir -p "$RUN"
old=$(cat "$RUN/port" 2>/dev/null || echo none)
old_pid=$(cat "$RUN/app.pid" 2>/dev/null || echo none)
for port in $PORTS; do
  if [ "$port" != "$old" ]; then
    new=$port
    break
  fi
done

say "starting the new version on port $new"
PORT=$new sh -c "exec $APP" >>"$RUN/app.log" 2>&1 &
new_pid=$!

# Whatever goes wrong before the swap ends the new version, and nobody has noticed.
trap 'kill "$new_pid" 2>/dev/null || true' EXIT
say "swapping, as soon as it answers $HEALTH"
ask swap "$UPSTREAM" --to "127.0.0.1:$new" --health "$HEALTH" --timeout 30s --drain "$DRAIN"
trap - EXIT
echo "$new" >"$RUN/port"
echo "$new_pid" >"$RUN/app.pid"

if [ "$old_pid" != none ]; then
  say "the old version ends when its last request and WebSocket have ended"
  kill "$old_pid" 2>/dev/null || true
  while kill -0 "$old_pid" 2>/dev/null; do sleep 0.1; done
fi

if [ -n "$MIGRATE" ]; then
  say "migrating, with requests held"
  ask with-pause "$UPSTREAM" --wait-idle 10s -- sh -c "$MIGRATE"
fi

say "reading the configuration anew"
ask reload

if [ -n "$SLUICE_BINARY" ]; then
  say "replacing Sluice by $SLUICE_BINARY"
  ask upgrade "$SLUICE_BINARY" --timeout 30s
fi

ask wait "$UPSTREAM" --healthy --timeout 10s
say "done"
