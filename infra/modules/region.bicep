// One region: identity, storage, roles, app, and what guards them.

import { requestLimits, tagsByName } from 'types.bicep'

param appName string
param location string
param index int
param tags tagsByName
param serviceName string
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
param adminPasswordsInKeyVault bool
param anonymousPull string
param operatorPrincipalId string
param operatorPrincipalType string
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
param privateEndpoints bool
param publicAccess bool
param allowedIpRanges string[]
param corsOrigins string[]
param insightsName string
param actionGroupId string
param customDomain string
param certificateVaultId string
param certificateName string
param managedCertificate bool

var unique = uniqueString(resourceGroup().id, location)
var deploymentContainer = 'deployments'
var blobZone = 'privatelink.blob.${environment().suffixes.storage}'
var tableZone = 'privatelink.table.${environment().suffixes.storage}'
var queueZone = 'privatelink.queue.${environment().suffixes.storage}'
var vaultZone = 'privatelink.vaultcore.azure.net'
var appZone = 'privatelink.azurewebsites.net'
var keepsSecrets = adminUserEnabled && adminPasswordsInKeyVault
// Clients fetch blobs from storage itself, unless the app streams them.
var registryStorageIsPublic = publicAccess && blobRedirect == 'on'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${appName}'
  location: location
  tags: tags
}

module network 'network.bicep' = if (privateEndpoints) {
  name: 'network-${location}'
  params: {
    name: appName
    location: location
    index: index
    tags: tags
  }
}

module registryStorage 'storage.bicep' = {
  name: 'registry-storage-${location}'
  params: {
    name: 'reg${unique}'
    location: location
    tags: tags
    containers: ['content', 'system']
    tables: ['repositories', 'blobs', 'catalog', 'access']
    queues: ['slipway-work']
    sku: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    publicAccess: registryStorageIsPublic || !privateEndpoints
    // The app comes by the private endpoint then; without one, its own address is not known.
    allowedIpRanges: privateEndpoints ? allowedIpRanges : []
    corsOrigins: corsOrigins
  }
}

module hostStorage 'storage.bicep' = {
  name: 'host-storage-${location}'
  params: {
    name: 'host${unique}'
    location: location
    tags: tags
    containers: [deploymentContainer]
    tables: []
    queues: []
    sku: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    publicAccess: !privateEndpoints
    allowedIpRanges: []
    corsOrigins: []
  }
}

module vault 'key-vault.bicep' = if (keepsSecrets) {
  name: 'key-vault-${location}'
  params: {
    name: 'kv${unique}'
    location: location
    tags: tags
    adminPassword: adminPassword
    adminPassword2: adminPassword2
    principalId: identity.properties.principalId
    publicAccess: !privateEndpoints
  }
}

module roles 'roles.bicep' = {
  name: 'roles-${location}'
  params: {
    principalId: identity.properties.principalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    registryStorageName: registryStorage.outputs.name
    hostStorageName: hostStorage.outputs.name
    insightsName: insightsName
  }
}

module app 'function-app.bicep' = {
  name: 'app-${location}'
  params: {
    appName: appName
    location: location
    tags: empty(serviceName) ? tags : union(tags, { 'azd-service-name': serviceName })
    identityId: identity.id
    clientId: identity.properties.clientId
    registryStorageName: registryStorage.outputs.name
    hostStorageName: hostStorage.outputs.name
    deploymentContainer: deploymentContainer
    insightsName: insightsName
    loginServers: loginServers
    peers: peers
    entraTenantId: entraTenantId
    entraAudiences: entraAudiences
    entraAuthority: entraAuthority
    adminUserEnabled: adminUserEnabled
    adminUsername: adminUsername
    adminPassword: keepsSecrets ? vault!.outputs.adminPasswordReference : adminPassword
    adminPassword2: keepsSecrets ? vault!.outputs.adminPassword2Reference : adminPassword2
    anonymousPull: anonymousPull
    ui: ui
    uiClientId: uiClientId
    blobRedirect: blobRedirect
    deleteEnabled: deleteEnabled
    gcGrace: gcGrace
    backupTo: backupTo
    uploadExpiry: uploadExpiry
    cacheTtl: cacheTtl
    trustedProxies: trustedProxies
    clientAddressHeader: clientAddressHeader
    rateLimits: rateLimits
    requestLog: requestLog
    limits: limits
    instanceMemoryMB: instanceMemoryMB
    perInstanceConcurrency: perInstanceConcurrency
    mostRequests: mostRequests
    workerProcesses: workerProcesses
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    keepWarm: keepWarm
    metrics: metrics
    siteUpdateStrategy: siteUpdateStrategy
    requestBodyLimitMiB: requestBodyLimitMiB
    zoneRedundant: zoneRedundant
    publicAccess: publicAccess
    allowedIpRanges: allowedIpRanges
    corsOrigins: corsOrigins
    subnetId: privateEndpoints ? network!.outputs.appSubnetId : ''
  }
  // An app that starts before it has its roles fails until they reach it. One whose reference to a
  // closed vault cannot be resolved is not asked again for a day.
  dependsOn: [roles, endpoints]
}

// What gets a private endpoint.
var storageServices = [
  { key: 'registry-blob', id: registryStorage.outputs.id, kind: 'blob', zone: blobZone }
  { key: 'registry-table', id: registryStorage.outputs.id, kind: 'table', zone: tableZone }
  { key: 'registry-queue', id: registryStorage.outputs.id, kind: 'queue', zone: queueZone }
  { key: 'host-blob', id: hostStorage.outputs.id, kind: 'blob', zone: blobZone }
  { key: 'host-table', id: hostStorage.outputs.id, kind: 'table', zone: tableZone }
]
var vaultServices = keepsSecrets ? [{ key: 'vault', id: vault!.outputs.id, kind: 'vault', zone: vaultZone }] : []

module endpoints 'private-endpoints.bicep' = if (privateEndpoints) {
  name: 'private-endpoints-${location}'
  params: {
    name: appName
    location: location
    tags: tags
    networkId: network!.outputs.networkId
    subnetId: network!.outputs.endpointSubnetId
    zoneNames: concat([blobZone, tableZone, queueZone], keepsSecrets ? [vaultZone] : [])
    services: concat(storageServices, vaultServices)
  }
}

module appEndpoint 'private-endpoints.bicep' = if (privateEndpoints && !publicAccess) {
  name: 'app-endpoint-${location}'
  params: {
    name: appName
    location: location
    tags: tags
    networkId: network!.outputs.networkId
    subnetId: network!.outputs.endpointSubnetId
    zoneNames: [appZone]
    services: [{ key: 'app', id: app.outputs.id, kind: 'sites', zone: appZone }]
  }
}

module domain 'custom-domain.bicep' = if (!empty(customDomain)) {
  name: 'custom-domain-${location}'
  params: {
    appName: app.outputs.name
    location: location
    tags: tags
    domain: customDomain
    certificateVaultId: certificateVaultId
    certificateName: certificateName
  }
}

module domainCertificate 'managed-certificate.bicep' = if (!empty(customDomain) && managedCertificate) {
  name: 'managed-certificate-${location}'
  params: {
    appName: app.outputs.name
    location: location
    tags: tags
    domain: customDomain
  }
  dependsOn: [domain]
}

module alerts 'region-alerts.bicep' = if (!empty(actionGroupId)) {
  name: 'alerts-${location}'
  params: {
    appName: appName
    tags: tags
    registryStorageId: registryStorage.outputs.id
    actionGroupId: actionGroupId
  }
}

output registryStorageName string = registryStorage.outputs.name
output domainVerificationId string = app.outputs.domainVerificationId
