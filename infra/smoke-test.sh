#!/bin/sh
# Sees that regions work, after a deployment:  sh infra/smoke-test.sh <login server>...
#
# With SLIPWAY_USERNAME and SLIPWAY_PASSWORD, of somebody who may push there, it signs in, pushes and
# pulls; without them it checks the way to the region, and its health. Every region is tried; those
# that failed are named, and the exit status is 1.
set -eu
cd "$(dirname "$0")/.."

if [ "$#" -eq 0 ]; then
    echo "usage: sh infra/smoke-test.sh <login server>..." >&2
    exit 2
fi
failed=
for server in "$@"; do
    echo "Testing $server"
    # The roles of a new app take minutes to count, and it answers 503 until then.
    ./slipway check-health "$server" --wait 300 || failed="$failed $server"
done
if [ -n "$failed" ]; then
    echo "These do not work:$failed" >&2
    exit 1
fi
