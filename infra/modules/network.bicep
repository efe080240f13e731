// A virtual network: a subnet that the app's instances come from, and one for private endpoints.

import { tagsByName } from 'types.bicep'

param name string
param location string
param tags tagsByName

@description('The region\'s number. Peered networks need different addresses.')
param index int

var prefix = '10.${71 + index}'

resource appGroup 'Microsoft.Network/networkSecurityGroups@2025-07-01' = {
  name: 'nsg-${name}-app'
  location: location
  tags: tags
}

resource endpointGroup 'Microsoft.Network/networkSecurityGroups@2025-07-01' = {
  name: 'nsg-${name}-endpoints'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-07-01' = {
  name: 'vnet-${name}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['${prefix}.0.0/16'] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '${prefix}.0.0/24'
          networkSecurityGroup: { id: appGroup.id }
          delegations: [
            {
              name: 'flex-consumption'
              properties: { serviceName: 'Microsoft.App/environments' }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '${prefix}.1.0/24'
          networkSecurityGroup: { id: endpointGroup.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

output networkId string = network.id
output appSubnetId string = '${network.id}/subnets/app'
output endpointSubnetId string = '${network.id}/subnets/endpoints'
