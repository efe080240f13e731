// A storage account without shared keys, and its containers, tables and queues.

import { tagsByName } from 'types.bicep'

param name string
param location string
param tags tagsByName
param containers string[]
param tables string[]
param queues string[]
@allowed(['Standard_LRS', 'Standard_ZRS'])
param sku string
param publicAccess bool
param allowedIpRanges string[]
param corsOrigins string[]

// For pages that follow a redirect here. After one to another host a browser calls its origin "null",
// so no list of origins would match; whoever has a signed address may read it anyway.
var readers = [
  {
    allowedOrigins: ['*']
    allowedMethods: ['GET', 'HEAD']
    allowedHeaders: ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']
    exposedHeaders: ['Content-Length', 'Content-Range', 'Content-Type', 'ETag', 'Accept-Ranges']
    maxAgeInSeconds: 3600
  }
]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  // checkov:skip=CKV_AZURE_35:clients fetch blobs by signed addresses; denied by default with the option privateEndpoints
  // checkov:skip=CKV_AZURE_206:the parameter zoneRedundant chooses ZRS; other regions have registries of their own
  // checkov:skip=CKV_AZURE_43:the name is a parameter, made of letters and digits by region.bicep
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    // Whoever reads or writes does so by an identity and its role, or by an address that one signed.
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicAccess && empty(allowedIpRanges) ? 'Allow' : 'Deny'
      // Storage takes a single address by itself only, and none of IPv6.
      ipRules: [for addresses in filter(allowedIpRanges, each => !contains(each, ':')): { action: 'Allow', value: replace(addresses, '/32', '') }]
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    // Every append to an upload would become a version of it, kept and paid for.
    isVersioningEnabled: false
    // A blob that nothing names any more can be brought back for a week, a container too.
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    cors: { corsRules: empty(corsOrigins) ? [] : readers }
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for container in containers: {
    parent: blobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = if (!empty(tables)) {
  parent: account
  name: 'default'
}

resource storageTables 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = [
  for table in tables: {
    parent: tableService
    name: table
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = if (!empty(queues)) {
  parent: account
  name: 'default'
}

resource storageQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for queue in queues: {
    parent: queueService
    name: queue
  }
]

output name string = account.name
output id string = account.id
