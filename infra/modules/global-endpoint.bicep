// One name for all regions, by DNS: clients talk to the region itself, so streamed uploads and
// redirects pass as they are. A proxy (Front Door) would buffer or cut uploads, and bill every byte.

import { tagsByName } from 'types.bicep'

param name string
param tags tagsByName
param regions string[]
param hosts string[]
param probeRegions bool

resource profile 'Microsoft.Network/trafficManagerProfiles@2022-04-01' = {
  name: 'tm-${name}'
  location: 'global'
  tags: tags
  properties: {
    // The region nearest to who asks, of those that are well.
    trafficRoutingMethod: 'Performance'
    dnsConfig: {
      relativeName: name
      ttl: 60
    }
    monitorConfig: {
      protocol: 'HTTPS'
      port: 443
      path: '/healthz'
      intervalInSeconds: 30
      timeoutInSeconds: 10
      toleratedNumberOfFailures: 3
      expectedStatusCodeRanges: [{ min: 200, max: 200 }]
    }
    // By host name: as Azure endpoints it takes apps of dedicated plans only.
    endpoints: [
      for (region, index) in regions: {
        name: region
        type: 'Microsoft.Network/trafficManagerProfiles/externalEndpoints'
        properties: {
          target: hosts[index]
          endpointLocation: region
          endpointStatus: 'Enabled'
          // Always served is never probed: no failover, and no instance kept awake for it.
          alwaysServe: probeRegions ? 'Disabled' : 'Enabled'
        }
      }
    ]
  }
}

output hostName string = profile.properties.dnsConfig.fqdn
