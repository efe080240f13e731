// One direction of a peering: two regions' networks reach each other when both are there.

param name string
param peerName string

resource network 'Microsoft.Network/virtualNetworks@2025-07-01' existing = {
  name: 'vnet-${name}'
}

resource peer 'Microsoft.Network/virtualNetworks@2025-07-01' existing = {
  name: 'vnet-${peerName}'
}

resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2025-07-01' = {
  parent: network
  name: 'to-${peerName}'
  properties: {
    allowVirtualNetworkAccess: true
    remoteVirtualNetwork: { id: peer.id }
  }
}
