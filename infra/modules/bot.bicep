// The bot as Teams knows it. It has no secret: by default it signs in as the app's identity.

@description('Name of the bot resource, unique in all of Azure.')
@minLength(2)
@maxLength(64)
param name string

@description('Tags of the resources.')
param tags object

@description('The name that people see.')
@minLength(1)
@maxLength(42)
param displayName string

@description('Free (F0) or standard (S1). Messages in Teams cost nothing in either.')
@allowed(['F0', 'S1'])
param sku string

@description('Address at which the app takes activities.')
param endpoint string

@description('How the bot signs in.')
@allowed(['UserAssignedMSI', 'SingleTenant'])
param appType string

@description('Client id of the identity or app registration.')
param appId string

@description('Resource id of the identity; empty for SingleTenant.')
param identityId string

@description('The cloud that Teams runs in.')
@allowed(['public', 'gcc', 'gccHigh', 'dod'])
param cloud string

resource bot 'Microsoft.BotService/botServices@2022-09-15' = {
  name: name
  location: 'global'
  tags: tags
  kind: 'azurebot'
  sku: {
    name: sku
  }
  properties: {
    displayName: displayName
    endpoint: endpoint
    msaAppId: appId
    msaAppType: appType
    msaAppTenantId: tenant().tenantId
    msaAppMSIResourceId: appType == 'UserAssignedMSI' ? identityId : null
    disableLocalAuth: true
    isStreamingSupported: false
    schemaTransformationVersion: '1.3'
  }
}

resource teams 'Microsoft.BotService/botServices/channels@2022-09-15' = {
  parent: bot
  name: 'MsTeamsChannel'
  location: 'global'
  properties: {
    channelName: 'MsTeamsChannel'
    properties: {
      acceptedTerms: true
      deploymentEnvironment: cloud == 'gcc' ? 'GCCModerateDeployment' : 'CommercialDeployment'
      enableCalling: false
      isEnabled: true
    }
  }
}

output name string = bot.name
