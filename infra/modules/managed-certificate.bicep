// A certificate that Azure issues and renews, for a domain that custom-domain.bicep has bound to the
// app without one: Azure issues none before, and a resource can't be declared twice in one module.

import { tagsByName } from 'types.bicep'

param appName string
param location string
param tags tagsByName
param domain string

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource certificate 'Microsoft.Web/sites/certificates@2025-03-01' = {
  parent: app
  name: domain
  location: location
  tags: tags
  properties: {
    canonicalName: domain
  }
}

resource binding 'Microsoft.Web/sites/hostNameBindings@2025-03-01' = {
  parent: app
  name: domain
  properties: {
    siteName: appName
    hostNameType: 'Verified'
    customHostNameDnsRecordType: 'CName'
    sslState: 'SniEnabled'
    thumbprint: certificate.properties.thumbprint
  }
}
