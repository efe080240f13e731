// Private endpoints, and the DNS zones by which the network finds them.

import { privateService, tagsByName } from 'types.bicep'

param name string
param location string
param tags tagsByName
param networkId string
param subnetId string

@description('The zones by name; several services share one.')
param zoneNames string[]

@description('The resources that get an endpoint.')
param services privateService[]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

@batchSize(1)
resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in zoneNames: {
    parent: zones[index]
    name: 'to-${name}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: networkId }
    }
  }
]

// One after the other: storage takes one at a time, and refuses another meanwhile.
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2025-07-01' = [
  for service in services: {
    name: 'pe-${service.key}-${uniqueString(name)}'
    location: location
    tags: tags
    properties: {
      subnet: { id: subnetId }
      privateLinkServiceConnections: [
        {
          name: service.key
          properties: {
            privateLinkServiceId: service.id
            groupIds: [service.kind]
          }
        }
      ]
    }
  }
]

@batchSize(1)
resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-07-01' = [
  for (service, index) in services: {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: service.kind
          properties: { privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', service.zone) }
        }
      ]
    }
    dependsOn: [zones]
  }
]
