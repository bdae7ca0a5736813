// What the platform writes of a request is cut before it is kept: the path of an outcome holds its secret, and the path of
// a person may hold a mail address. Only functions are used that Microsoft lists for such rules:
// https://learn.microsoft.com/azure/azure-monitor/data-collection/data-collection-transformations-kql

@description('Name of the rule.')
@minLength(1)
@maxLength(64)
param name string

@description('Azure region: the workspace\'s.')
param location string

@description('Tags of the resource.')
param tags object

@description('Resource id of the Log Analytics workspace.')
param workspaceId string

// The platform's request rows, and its log lines about requests. A key may stand in a query, so that goes as well.
var tables = [
  {
    name: 'AppRequests'
    begin: 'source | extend Url = tostring(split(Url, "?")[0])'
    columns: ['Name', 'OperationName', 'Url']
  }
  {
    name: 'AppTraces'
    begin: 'source'
    columns: ['Message', 'OperationName']
  }
]
var end = 'extend Properties = iif(tostring(Properties) contains "/api/outcomes/" or tostring(Properties) contains "/users/", parse_json("{}"), Properties)'

resource rule 'Microsoft.Insights/dataCollectionRules@2023-03-11' = {
  name: name
  location: location
  tags: tags
  kind: 'WorkspaceTransforms'
  properties: {
    dataSources: {}
    destinations: {
      logAnalytics: [
        {
          name: 'workspace'
          workspaceResourceId: workspaceId
        }
      ]
    }
    dataFlows: [for table in tables: {
      streams: ['Microsoft-Table-${table.name}']
      destinations: ['workspace']
      transformKql: join(concat([table.begin], map(table.columns, column => 'extend ${column} = case(${column} contains "/api/outcomes/", "/api/outcomes/", ${column} contains "/users/", "/users/", ${column})'), [end]), ' | ')
    }]
  }
}

output id string = rule.id
