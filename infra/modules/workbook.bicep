// The page of charts: what goes out, what fails and why, what waits. Its content is infra/workbook.json.

@description('Azure region.')
param location string

@description('Tags of the resource.')
param tags object

@description('Name that operators see.')
@minLength(1)
@maxLength(128)
param title string

@description('Resource id of the Application Insights component that it shows.')
param insightsId string

resource workbook 'Microsoft.Insights/workbooks@2022-04-01' = {
  // A workbook's name has to be a GUID; this one is the same each time.
  name: guid(insightsId, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: title
    serializedData: replace(loadTextContent('../workbook.json'), '<insights>', insightsId)
    sourceId: insightsId
    version: 'Notebook/1.0'
  }
}

output name string = workbook.name
