#!/bin/sh
# Makes the package and deploys it to apps:  sh infra/deploy-package.sh <resource group> <app>...
#
# Roles that were assigned a moment ago take minutes to count, so the first upload may be refused;
# and az may end with an error although it deployed, because the new app's host did not answer yet.
# Both pass. So an app that failed is tried again, five times in all, after the others had their
# turn; what failed at the end is named, and the exit status is 1.
#
# DEPLOY_WAITS: the seconds between the tries, instead of "30 60 90 120".
# AZURE_SUBSCRIPTION_ID: the subscription, if it is not the one that az has chosen.
set -eu
cd "$(dirname "$0")/.."

if [ "$#" -lt 2 ]; then
    echo "usage: sh infra/deploy-package.sh <resource group> <app>..." >&2
    exit 2
fi
group=$1
shift
make package

# Prints the apps, of those given, that it could not deploy to.
deploy() {
    for app in "$@"; do
        echo "Deploying to $app" >&2
        az functionapp deployment source config-zip ${AZURE_SUBSCRIPTION_ID:+--subscription "$AZURE_SUBSCRIPTION_ID"} \
            --resource-group "$group" --name "$app" --src dist/slipway-*.zip >&2 || echo "$app"
    done
}

failed=$(deploy "$@")
for wait in ${DEPLOY_WAITS-30 60 90 120}; do
    [ -n "$failed" ] || break
    echo "Trying again in $wait seconds:" $failed >&2
    sleep "$wait"
    failed=$(deploy $failed)
done
if [ -n "$failed" ]; then
    echo "Not deployed:" $failed >&2
    echo "docs/deploy.md says what az's messages mean; the same command can be repeated." >&2
    exit 1
fi
