// Storage that turns calls away: the registry answers 503 then, and clients try again.

import { tagsByName } from 'types.bicep'

param appName string
param tags tagsByName
param registryStorageId string
param actionGroupId string

resource throttling 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: '${appName}-storage-throttling'
  location: 'global'
  tags: tags
  properties: {
    description: 'Storage throttles the registry. Spread repositories over registries, or ask for a higher limit of the account.'
    severity: 2
    enabled: true
    scopes: [registryStorageId]
    // Oftener costs more.
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'throttled'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Storage/storageAccounts'
          metricName: 'Transactions'
          dimensions: [
            {
              name: 'ResponseType'
              operator: 'Include'
              values: [
                'ServerBusyError'
                'ClientThrottlingError'
                'ClientAccountRequestThrottlingError'
                'ClientAccountBandwidthThrottlingError'
              ]
            }
          ]
          operator: 'GreaterThan'
          threshold: 10
          timeAggregation: 'Total'
        }
      ]
    }
    actions: [{ actionGroupId: actionGroupId }]
  }
}
