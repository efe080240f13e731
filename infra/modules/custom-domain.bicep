// A domain of your own on one app, with a certificate from a Key Vault. Flex Consumption keeps
// certificates with the app (site-scoped), not with the plan.

import { tagsByName } from 'types.bicep'

param appName string
param location string
param tags tagsByName
param domain string
param certificateVaultId string
param certificateName string

var hasCertificate = !empty(certificateVaultId)

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource certificate 'Microsoft.Web/sites/certificates@2025-03-01' = if (hasCertificate) {
  parent: app
  // Azure looks at the name even where the condition says no.
  name: hasCertificate ? certificateName : 'none'
  location: location
  tags: tags
  properties: {
    keyVaultId: certificateVaultId
    keyVaultSecretName: certificateName
  }
}

resource binding 'Microsoft.Web/sites/hostNameBindings@2025-03-01' = {
  parent: app
  name: domain
  properties: {
    siteName: appName
    hostNameType: 'Verified'
    customHostNameDnsRecordType: 'CName'
    sslState: hasCertificate ? 'SniEnabled' : 'Disabled'
    thumbprint: hasCertificate ? certificate!.properties.thumbprint : null
  }
}
