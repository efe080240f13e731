// What the app's identity, and the operator, may do: each role at the least scope that works.

param principalId string
param operatorPrincipalId string
param operatorPrincipalType string
param registryStorageName string
param hostStorageName string
param insightsName string

var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var blobDelegator = 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a'
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var queueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource registryStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: registryStorageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource content 'containers' existing = {
      name: 'content'
    }

    resource system 'containers' existing = {
      name: 'system'
    }
  }

  resource queueService 'queueServices' existing = {
    name: 'default'

    resource work 'queues' existing = {
      name: 'slipway-work'
    }
  }
}

resource hostStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostStorageName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// The registry's two containers, and no other.
resource appOnContent 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registryStorage::blobs::content.id, principalId, blobDataContributor)
  scope: registryStorage::blobs::content
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}

resource appOnSystem 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registryStorage::blobs::system.id, principalId, blobDataContributor)
  scope: registryStorage::blobs::system
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}

// To sign addresses of blobs; a key for that is the account's, there is no narrower scope.
resource appSignsAddresses 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registryStorage.id, principalId, blobDelegator)
  scope: registryStorage
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDelegator)
  }
}

// On the account, which has no other tables: the registry makes one that an upgrade brings.
resource appOnTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registryStorage.id, principalId, tableDataContributor)
  scope: registryStorage
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableDataContributor)
  }
}

// On the account, which has no other queues: the host makes one for messages that keep failing, and
// asks how many wait before it starts an instance.
resource appOnQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registryStorage.id, principalId, queueDataContributor)
  scope: registryStorage
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueDataContributor)
  }
}

// The Functions host: its locks, its keys, the state of timers, and the package it starts from.
resource hostOnBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostStorage.id, principalId, blobDataOwner)
  scope: hostStorage
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataOwner)
  }
}

// The Functions host writes its diagnostic events into a table.
resource hostOnTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostStorage.id, principalId, tableDataContributor)
  scope: hostStorage
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableDataContributor)
  }
}

resource appOnInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principalId, monitoringMetricsPublisher)
  scope: insights
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
  }
}

// Whoever manages tokens, roles and keys with the command line works on the storage itself.
resource operatorOnSystem 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  name: guid(registryStorage::blobs::system.id, operatorPrincipalId, blobDataContributor)
  scope: registryStorage::blobs::system
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobDataContributor)
  }
}

resource operatorOnTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  name: guid(registryStorage.id, operatorPrincipalId, tableDataContributor)
  scope: registryStorage
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableDataContributor)
  }
}

// A deletion announces what it frees, whoever makes it.
resource operatorOnQueue 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  name: guid(registryStorage::queueService::work.id, operatorPrincipalId, queueDataMessageSender)
  scope: registryStorage::queueService::work
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueDataMessageSender)
  }
}
