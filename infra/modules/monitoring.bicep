// Logs of all regions in one workspace, written by identity, and the alert that reads them: only
// where somebody hears of it, since it is billed.

import { tagsByName } from 'types.bicep'

param name string
param location string
param tags tagsByName
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

// What the logs tell in charts. It costs nothing until somebody looks, and then nothing either.
resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, name, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Slipway ${name}'
    category: 'workbook'
    sourceId: insights.id
    version: '1.0'
    serializedData: loadTextContent('workbook.json')
  }
}

var alerted = !empty(alertEmail)

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (alerted) {
  name: 'ag-${name}'
  location: 'Global'
  tags: tags
  properties: {
    groupShortName: 'slipway'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

// Requests are sampled, so they count for as many as they stand for (ItemCount); the registry's own
// lines are never sampled. What Azure says of the workspace (_LogOperation) goes on past its cap,
// where nothing else does. The Functions host says so when it gives a message up; it says it once for
// each, so the alert ends by itself after a quarter of an hour.
var queries = [
  {
    key: 'server-errors'
    threshold: 5
    query: 'AppRequests | where toint(ResultCode) >= 500 | summarize Found = sum(ItemCount)'
  }
  {
    key: 'failed-sign-ins'
    threshold: failedSignInThreshold
    query: 'AppTraces | where Message has "ContainerRegistryLoginEvents" | extend Line = parse_json(Message) | where tostring(Line.Category) == "ContainerRegistryLoginEvents" and tostring(Line.ResultType) == "Failed" and tostring(Line.Identity) != "" | summarize Found = sum(ItemCount)'
  }
  {
    key: 'poison-queue'
    threshold: 0
    query: 'AppTraces | where Message has "slipway-work-poison" | summarize Found = sum(ItemCount)'
  }
  {
    key: 'daily-cap'
    threshold: 0
    query: '_LogOperation | where Category =~ "Ingestion" and Detail contains "OverQuota" | summarize Found = count()'
  }
]
var legs = [for each in queries: '(${each.query} | extend Alert = "${each.key}", Threshold = ${each.threshold})']

// All of them in one rule, asked every quarter of an hour: rules are billed, questions are not. The
// column Alert, by which it is split, tells in the message which it was. "isfuzzy" leaves out the
// tables that a new workspace does not have before the first request.
resource logAlert 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = if (alerted) {
  name: '${name}-log'
  location: location
  tags: tags
  properties: {
    displayName: 'Slipway ${name}'
    description: 'server-errors: the registry answered 5xx; the correlation id of its line leads to the cause in AppTraces and AppExceptions. failed-sign-ins: somebody guesses passwords, or one has expired. poison-queue: a message failed again and again, and what it named is collected within thirty nights. daily-cap: nothing is logged until tomorrow, so no other alert can tell of anything.'
    severity: 1
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT15M'
    autoMitigate: true
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: 'union isfuzzy=true ${join(legs, ', ')} | where Found > Threshold'
          timeAggregation: 'Total'
          metricMeasureColumn: 'Found'
          dimensions: [{ name: 'Alert', operator: 'Include', values: ['*'] }]
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: { actionGroups: [actionGroup!.id] }
  }
}

output insightsName string = insights.name
output actionGroupId string = alerted ? actionGroup!.id : ''
