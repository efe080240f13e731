// A budget of the resource group: who pays is told by e-mail when a month costs more. It stops
// nothing. Azure bills no budgets, and counts its costs a day late.

param name string
param emails string[]
param amount int
param start string

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = {
  name: 'budget-${name}'
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    // The first day of a month, and always the same: Azure refuses a deployment that changes it, so
    // it cannot be made of the present day.
    timePeriod: { startDate: '${start}-01' }
    notifications: {
      most: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: emails
      }
      all: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Actual'
        contactEmails: emails
      }
      expected: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: emails
      }
    }
  }
}
