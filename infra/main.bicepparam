// The parameters, for az and for azd. Others of main.bicep can be added, each as a line of its own.
// What differs from deployment to deployment, or is secret, comes from the environment:
// `azd env set NAME VALUE`, or `export NAME=VALUE` before az.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'slipway')

// One region, or several parted by commas in REGISTRY_LOCATIONS.
param locations = split(readEnvironmentVariable('REGISTRY_LOCATIONS', readEnvironmentVariable('AZURE_LOCATION', 'westeurope')), ',')

// Who manages tokens and roles: azd says who is signed in to it.
param operatorPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param operatorPrincipalType = readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'User')

param adminUserEnabled = readEnvironmentVariable('REGISTRY_ADMIN_USER_ENABLED', 'false') == 'true'
param keepAdminPassword = readEnvironmentVariable('REGISTRY_KEEP_ADMIN_PASSWORD', 'false') == 'true'
param adminPassword = readEnvironmentVariable('REGISTRY_ADMIN_PASSWORD', '')
param adminPassword2 = readEnvironmentVariable('REGISTRY_ADMIN_PASSWORD2', '')

// Who is told when a month costs more than the budget: docs/deploy.md, "Budget".
param budgetEmails = readEnvironmentVariable('REGISTRY_BUDGET_EMAILS', '')
param budgetAmount = int(readEnvironmentVariable('REGISTRY_BUDGET_AMOUNT', '50'))
param budgetStart = readEnvironmentVariable('REGISTRY_BUDGET_START', '')
