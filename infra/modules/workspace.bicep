// The Log Analytics workspace that telemetry is kept in. It is taken from identities only.

@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param name string

@description('Azure region.')
param location string

@description('Tags of the resource.')
param tags object

@description('Days that telemetry is kept.')
@minValue(30)
@maxValue(730)
param retentionDays int

@description('Resource id of the rule that changes what comes in before it is kept; empty: none.')
param ruleId string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    defaultDataCollectionRuleResourceId: empty(ruleId) ? null : ruleId
    retentionInDays: retentionDays
    sku: {
      name: 'PerGB2018'
    }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
  }
}

output id string = workspace.id
