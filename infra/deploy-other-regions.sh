#!/bin/sh
# Deploys the package to the apps of all regions but the first, to which azd deploys by itself.
# azd runs it after each deployment, with the outputs of the templates in the environment:
# REGISTRY_APP_NAMES is a JSON list of names, AZURE_RESOURCE_GROUP and AZURE_SUBSCRIPTION_ID are
# where they are. It uses az, which is signed in by itself: az login.
set -eu
cd "$(dirname "$0")/.."

: "${REGISTRY_APP_NAMES:?is set by azd; by hand: export REGISTRY_APP_NAMES=\'[\"first\",\"second\"]\'}"
: "${AZURE_RESOURCE_GROUP:?is set by azd; by hand: export AZURE_RESOURCE_GROUP=rg-slipway}"
: "${AZURE_SUBSCRIPTION_ID:?is set by azd; by hand: export AZURE_SUBSCRIPTION_ID=<id>}"

others=$(printf '%s' "$REGISTRY_APP_NAMES" | tr -d '[]"\\ \n' | tr ',' '\n' | tail -n +2)
if [ -z "$others" ]; then
    exit 0
fi
if ! az account show --subscription "$AZURE_SUBSCRIPTION_ID" >/dev/null; then
    echo "az is not signed in, so these apps were not deployed: $(echo "$others" | tr "\n" " ")" >&2
    echo "Run az login, then azd hooks run postdeploy." >&2
    exit 1
fi
sh infra/deploy-package.sh "$AZURE_RESOURCE_GROUP" $others
