#!/bin/sh
# Deploys the package to the apps of all regions but the first, to which azd deploys by itself.
# azd runs it after each deployment, with the outputs of the templates in the environment:
# REGISTRY_APP_NAMES is a JSON list of names, AZURE_RESOURCE_GROUP where they are.
set -eu
cd "$(dirname "$0")/.."

: "${REGISTRY_APP_NAMES:?is set by azd; by hand: export REGISTRY_APP_NAMES=\'[\"first\",\"second\"]\'}"
: "${AZURE_RESOURCE_GROUP:?is set by azd; by hand: export AZURE_RESOURCE_GROUP=rg-slipway}"

others=$(printf '%s' "$REGISTRY_APP_NAMES" | tr -d '[]" \n' | tr ',' '\n' | tail -n +2)
if [ -z "$others" ]; then
    exit 0
fi
make package
for app in $others; do
    echo "Deploying to $app"
    az functionapp deployment source config-zip --resource-group "$AZURE_RESOURCE_GROUP" --name "$app" --src dist/slipway.zip
done
