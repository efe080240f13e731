// Logs of all regions in one workspace, written by identity, and the alerts that read them.

param name string
param location string
param tags object
param dailyCapGB int
param alertEmail string
param failedSignInThreshold int

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    workspaceCapping: { dailyQuotaGb: dailyCapGB }
    features: { disableLocalAuth: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'Global'
  tags: tags
  properties: {
    groupShortName: 'slipway'
    enabled: true
    emailReceivers: empty(alertEmail) ? [] : [{
      name: 'operators'
      emailAddress: alertEmail
      useCommonAlertSchema: true
    }]
  }
}

// Each is a question to the logs, asked every quarter of an hour. Requests are sampled, so they
// count for as many as they stand for (ItemCount); the registry's own lines are never sampled.
var queries = [
  {
    key: 'server-errors'
    severity: 1
    threshold: 5
    description: 'The registry answered 5xx. The line\'s correlation id leads to the cause in AppTraces and AppExceptions.'
    query: 'AppRequests | where toint(ResultCode) >= 500 | summarize Found = sum(ItemCount)'
  }
  {
    key: 'poison-queue'
    severity: 2
    threshold: 0
    description: 'A message was tried too often, and moved to a poison queue.'
    query: 'AppTraces | where Message has "MaxDequeueCount" and Message has "poison" | summarize Found = sum(ItemCount)'
  }
  {
    key: 'failed-sign-ins'
    severity: 2
    threshold: failedSignInThreshold
    description: 'Many sign-ins failed: somebody guesses passwords, or one has expired.'
    query: 'AppTraces | where Message has "ContainerRegistryLoginEvents" | extend Line = parse_json(Message) | where tostring(Line.Category) == "ContainerRegistryLoginEvents" and tostring(Line.ResultType) == "Failed" and tostring(Line.Identity) != "" | summarize Found = sum(ItemCount)'
  }
]

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in queries: {
  name: '${name}-${alert.key}'
  location: location
  tags: tags
  properties: {
    displayName: 'Slipway ${name}: ${alert.key}'
    description: alert.description
    severity: alert.severity
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    autoMitigate: true
    // A new workspace has none of the tables before the first request.
    skipQueryValidation: true
    criteria: {
      allOf: [{
        query: alert.query
        timeAggregation: 'Total'
        metricMeasureColumn: 'Found'
        operator: 'GreaterThan'
        threshold: alert.threshold
        failingPeriods: {
          numberOfEvaluationPeriods: 1
          minFailingPeriodsToAlert: 1
        }
      }]
    }
    actions: { actionGroups: [actionGroup.id] }
  }
}]

output insightsName string = insights.name
output actionGroupId string = actionGroup.id
