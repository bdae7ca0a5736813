// The function app on Flex Consumption. Host and app reach storage by identity, through all three service addresses.

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Name of the plan.')
@minLength(1)
@maxLength(60)
param planName string

@description('Azure region.')
param location string

@description('Tags of the resources.')
param tags object

@description('Resource id of the identity that the app uses for everything but Graph.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Resource id of the identity for Microsoft Graph; empty: there is none.')
param graphIdentityId string

@description('Name of the storage account.')
param storageName string

@description('Name of the blob container that holds the app\'s package.')
param packageName string

@description('Name of the Application Insights component.')
param insightsName string

@description('Address of the vault; empty: there is none.')
param vaultUri string

@description('Names of the settings whose values are in the vault.')
param settingsFromVault array

@description('The app\'s own settings by name; empty ones are left out.')
param settings object

@description('What the bot replies when somebody writes to it; empty: nothing.')
param replyText string

@description('Resource id of the subnet that the app joins; empty: none.')
param subnetId string

@description('Most instances that all functions together may have.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int

@description('Memory of an instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('HTTP requests that an instance takes at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('Instances for HTTP that are always there.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttp int

var storageSuffix = environment().suffixes.storage
var identities = empty(graphIdentityId) ? [identityId] : [identityId, graphIdentityId]
var platformSettings = {
  AzureWebJobsStorage__blobServiceUri: 'https://${storageName}.blob.${storageSuffix}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageName}.queue.${storageSuffix}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageName}.table.${storageSuffix}'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  PROACTIVE_REPLY_TEXT: replyText
}
var givenSettings = toObject(filter(items(settings), setting => !empty(setting.value)), setting => setting.key, setting => setting.value)
// A secret's name has hyphens where the setting's has underscores: a vault takes no others.
var vaultSettings = toObject(settingsFromVault, setting => setting, setting => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${replace(setting, '_', '-')})')

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: toObject(identities, id => id, id => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    // Teams posts from the internet, so this stays open whatever the network is.
    publicNetworkAccess: 'Enabled'
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${storageName}.blob.${storageSuffix}/${packageName}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReadyHttp == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyHttp }]
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
  }
}

resource appSettings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(platformSettings, givenSettings, vaultSettings)
}

// Deployment is by Entra tokens: the passwords that every app is born with open nothing.
resource publishingPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for door in ['ftp', 'scm']: {
  parent: app
  name: door
  properties: {
    allow: false
  }
}]

output name string = app.name
output hostName string = app.properties.defaultHostName
