using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'slipway')
param locations = [
  readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
]
param operatorPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
