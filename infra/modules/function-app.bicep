// The plan (Flex Consumption, one app each) and the app.

import { requestLimits, tagsByName } from 'types.bicep'

param appName string
param location string
param tags tagsByName
param identityId string
param clientId string
param registryStorageName string
param hostStorageName string
param deploymentContainer string
param insightsName string
param loginServers string
param peers string
param entraTenantId string
param entraAudiences string
param entraAuthority string
param adminUserEnabled bool
param adminUsername string
@secure()
param adminPassword string
@secure()
param adminPassword2 string
param anonymousPull string
param ui string
param uiClientId string
param blobRedirect string
param deleteEnabled string
param gcGrace string
param backupTo string
param uploadExpiry string
param cacheTtl string
param trustedProxies int
param clientAddressHeader string
param rateLimits string
param requestLog string
param limits requestLimits
param instanceMemoryMB int
param perInstanceConcurrency int
param mostRequests int
param workerProcesses int
param maximumInstanceCount int
param alwaysReadyInstances int
param keepWarm string
param metrics bool
param siteUpdateStrategy string
param requestBodyLimitMiB int
param zoneRedundant bool
param publicAccess bool
param allowedIpRanges string[]
param corsOrigins string[]
param subnetId string

resource registryStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: registryStorageName
}

resource hostStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostStorageName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

var addressRules = [
  for (addresses, index) in allowedIpRanges: {
    name: 'allowed-${index}'
    action: 'Allow'
    // The app takes a single address as a range only.
    ipAddress: contains(addresses, '/') ? addresses : '${addresses}/${contains(addresses, ':') ? 128 : 32}'
    priority: 100 + index
  }
]

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  // checkov:skip=CKV_AZURE_225:the parameter zoneRedundant decides
  name: 'plan-${appName}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  // checkov:skip=CKV_AZURE_78:Flex Consumption has no FTP; its password policy is off below
  // checkov:skip=CKV_AZURE_222:a registry is reached from outside; the parameter publicAccess turns that off
  // checkov:skip=CKV_AZURE_17:clients of a registry sign in with tokens, they have no certificates
  // checkov:skip=CKV_AZURE_212:it scales to zero on purpose; alwaysReadyInstances decides
  // checkov:skip=CKV_AZURE_213:Flex Consumption has no health check; Traffic Manager probes /healthz
  name: appName
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    // Certificates of its own for a domain: chosen when the app is made, and never after. The type
    // of this version does not know the property yet.
    #disable-next-line BCP037
    siteScopedCertificatesEnabled: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostStorage.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyInstances }]
        // Unless it is said, an instance of a Python app gets one request at a time.
        triggers: { http: { perInstanceConcurrency: perInstanceConcurrency } }
      }
      // A preview, which no type knows yet: what is the default is not said.
      #disable-next-line BCP037
      siteUpdateStrategy: siteUpdateStrategy == 'Recreate' ? null : { type: siteUpdateStrategy }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      ipSecurityRestrictionsDefaultAction: empty(allowedIpRanges) ? 'Allow' : 'Deny'
      ipSecurityRestrictions: addressRules
    }
  }

  // Packages are deployed with tokens of Entra ID.
  resource scmPasswords 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource ftpPasswords 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource settings 'config' = {
    // checkov:skip=CKV_AZURE_66:these are the app settings; logs go to Application Insights
    // checkov:skip=CKV_AZURE_63:these are the app settings; logs go to Application Insights
    // checkov:skip=CKV_AZURE_65:these are the app settings; logs go to Application Insights
    // checkov:skip=CKV_AZURE_222:these are the app settings
    // checkov:skip=CKV_AZURE_80:these are the app settings; there is no .NET
    // checkov:skip=CKV_AZURE_13:App Service Authentication would answer in the registry's place
    // checkov:skip=CKV_AZURE_88:nothing is kept in files
    name: 'appsettings'
    properties: {
      // The host's own.
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: clientId
      AzureWebJobsStorage__blobServiceUri: hostStorage.properties.primaryEndpoints.blob
      AzureWebJobsStorage__tableServiceUri: hostStorage.properties.primaryEndpoints.table
      AzureWebJobsDisableHomepage: 'true'
      APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: string(requestBodyLimitMiB * 1048576)
      // More requests wait before the host reads their bodies, which it would keep in memory.
      AzureFunctionsJobHost__extensions__http__maxConcurrentRequests: string(mostRequests)
      // Azure's documentation says that Flex Consumption does not take it: where it is one, it is not said.
      FUNCTIONS_WORKER_PROCESS_COUNT: any(workerProcesses == 1 ? null : string(workerProcesses))
      // The registry's: docs/settings.md.
      RegistryStorage__credential: 'managedidentity'
      RegistryStorage__clientId: clientId
      RegistryStorage__blobServiceUri: registryStorage.properties.primaryEndpoints.blob
      RegistryStorage__tableServiceUri: registryStorage.properties.primaryEndpoints.table
      // The queue is also the trigger's: the host takes its messages by this setting.
      RegistryStorage__queueServiceUri: registryStorage.properties.primaryEndpoints.queue
      REGISTRY_LOGIN_SERVERS: loginServers
      REGISTRY_PEERS: peers
      REGISTRY_REGION: location
      REGISTRY_ADMIN_USER_ENABLED: adminUserEnabled ? 'on' : 'off'
      REGISTRY_ADMIN_USERNAME: adminUsername
      REGISTRY_ADMIN_PASSWORD: adminPassword
      REGISTRY_ADMIN_PASSWORD2: adminPassword2
      REGISTRY_ENTRA_TENANT_ID: entraTenantId
      REGISTRY_ENTRA_AUDIENCES: entraAudiences
      REGISTRY_ENTRA_AUTHORITY: entraAuthority
      REGISTRY_ANONYMOUS_PULL: anonymousPull
      REGISTRY_TRUSTED_PROXIES: string(trustedProxies)
      REGISTRY_CLIENT_ADDRESS_HEADER: clientAddressHeader
      REGISTRY_REQUEST_LOG: requestLog
      REGISTRY_RATE_LIMITS: rateLimits
      REGISTRY_RATE_LIMIT_READ: string(limits.?read ?? '')
      REGISTRY_RATE_LIMIT_READ_TOTAL: string(limits.?readTotal ?? '')
      REGISTRY_RATE_LIMIT_WRITE: string(limits.?write ?? '')
      REGISTRY_RATE_LIMIT_WRITE_TOTAL: string(limits.?writeTotal ?? '')
      REGISTRY_RATE_LIMIT_DELETE: string(limits.?delete ?? '')
      REGISTRY_RATE_LIMIT_DELETE_TOTAL: string(limits.?deleteTotal ?? '')
      REGISTRY_RATE_LIMIT_REFERRERS: string(limits.?referrers ?? '')
      REGISTRY_RATE_LIMIT_REFERRERS_TOTAL: string(limits.?referrersTotal ?? '')
      REGISTRY_RATE_LIMIT_SIGN_IN: string(limits.?signIn ?? '')
      REGISTRY_RATE_LIMIT_SIGN_IN_TOTAL: string(limits.?signInTotal ?? '')
      REGISTRY_UI: ui
      // Without Entra ID there is nobody that it could sign in.
      REGISTRY_UI_CLIENT_ID: empty(entraTenantId) ? '' : uiClientId
      REGISTRY_BLOB_REDIRECT: blobRedirect
      REGISTRY_DELETE_ENABLED: deleteEnabled
      REGISTRY_GC_GRACE: gcGrace
      REGISTRY_BACKUP_TO: empty(backupTo) ? '' : '${backupTo}/${toLower(replace(location, ' ', ''))}'
      REGISTRY_UPLOAD_EXPIRY: uploadExpiry
      REGISTRY_CACHE_TTL: cacheTtl
      REGISTRY_KEEP_WARM: keepWarm
      // Of all regions, on the one resource that each app's identity may publish metrics of; Azure
      // Monitor takes them where that resource is.
      REGISTRY_METRICS: metrics ? 'https://${insights.location}.monitoring.azure.com${insights.id}/metrics' : 'off'
      REGISTRY_CORS_ORIGINS: join(corsOrigins, ',')
    }
  }
}

output name string = app.name
output id string = app.id
output domainVerificationId string = app.properties.customDomainVerificationId
