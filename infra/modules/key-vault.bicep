// Keeps the admin account's passwords; app settings refer to them. One in each region, so that no
// region starts by leave of another.

import { tagsByName } from 'types.bicep'

param name string
param location string
param tags tagsByName
@secure()
param adminPassword string
@secure()
param adminPassword2 string
param principalId string
param publicAccess bool

var secretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  // checkov:skip=CKV_AZURE_109:the firewall denies by default with private endpoints, the option privateEndpoints
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: publicAccess ? 'Allow' : 'Deny'
    }
  }
}

// Not given: the one that is there stays.
resource password 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = if (!empty(adminPassword)) {
  // checkov:skip=CKV_AZURE_41:an expired password would lock the operator out; rotation is described in docs/deploy.md
  // checkov:skip=CKV_AZURE_114:it has a content type; the rule does not see it behind a condition
  parent: vault
  name: 'admin-password'
  tags: tags
  properties: {
    value: adminPassword
    contentType: 'password of the registry\'s admin account'
  }
}

resource password2 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = if (!empty(adminPassword2)) {
  // checkov:skip=CKV_AZURE_41:an expired password would lock the operator out; rotation is described in docs/deploy.md
  // checkov:skip=CKV_AZURE_114:it has a content type; the rule does not see it behind a condition
  parent: vault
  name: 'admin-password2'
  tags: tags
  properties: {
    value: adminPassword2
    contentType: 'second password of the registry\'s admin account'
  }
}

resource appReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, secretsUser)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUser)
  }
}

// References, not secrets. With the version, so that a new password changes the app's settings, and
// with that is read at once.
output id string = vault.id
#disable-next-line outputs-should-not-contain-secrets
output adminPasswordReference string = '@Microsoft.KeyVault(SecretUri=${empty(adminPassword) ? '${vault.properties.vaultUri}secrets/admin-password' : password!.properties.secretUriWithVersion})'
#disable-next-line outputs-should-not-contain-secrets
output adminPassword2Reference string = empty(adminPassword2) ? '' : '@Microsoft.KeyVault(SecretUri=${password2!.properties.secretUriWithVersion})'
