// All of a deployment: a resource group with the app, its storage, its identity, the bot and what watches over them.
// infra/README.md says what each part is for. Values come from main.bicepparam.
targetScope = 'subscription'

// Where and what

@description('Name of this deployment (azd: of the environment). Resources get a name that is made of it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Azure region of everything but the bot, which is global. It has to offer Flex Consumption.')
@minLength(1)
param location string

@description('Resource group to create or use; empty: rg- and the name of the deployment.')
@maxLength(90)
param resourceGroupName string = ''

@description('Tags of all resources, besides azd\'s own.')
param tags object = {}

// The bot

@description('How the bot signs in. UserAssignedMSI: as the app\'s identity, without any secret. SingleTenant: with a client secret from the vault.')
@allowed(['UserAssignedMSI', 'SingleTenant'])
param botType string = 'UserAssignedMSI'

@description('Client id of the bot\'s app registration: required for SingleTenant, unused otherwise.')
@maxLength(36)
param botAppId string = ''

@description('The name that people see in Teams.')
@minLength(1)
@maxLength(42)
param botDisplayName string = 'Notifications'

@description('Whether to create the bot resource. Not for a bot that has one already: point that one to this app.')
param createBot bool = true

@description('Free (F0) or standard (S1). Messages in Teams cost nothing in either.')
@allowed(['F0', 'S1'])
param botSku string = 'F0'

// The app's settings: docs/settings.md has each under its name

@description('PROACTIVE_CLOUD: the cloud that Teams runs in. gccHigh and dod go with Azure Government.')
@allowed(['public', 'gcc', 'gccHigh', 'dod'])
param cloud string = 'public'

@description('PROACTIVE_BOT_NAME: the name that senders use for the bot.')
@minLength(1)
@maxLength(64)
param botName string = 'default'

@description('PROACTIVE_TEAMS_APP_ID: the app\'s id in the organisation\'s catalogue; needed to install the bot for people.')
@maxLength(64)
param teamsAppId string = ''

@description('PROACTIVE_REPLY_TEXT: what the bot replies to whoever writes to it; empty: nothing.')
param replyText string = 'I only bring notifications: nobody reads what is written here.'

@description('PROACTIVE_UPSTREAM_BOT: where another bot of the same app id takes activities. With a key in its query it belongs in the vault.')
param upstreamBot string = ''

@description('PROACTIVE_TEAMS_URL: where a conversation is created if no service URL is known; empty: the cloud\'s.')
param teamsUrl string = ''

@description('Microsoft Graph. off: not used. identity: as a managed identity of its own. app: as the app registration graphClientId, its secret or certificate in the vault.')
@allowed(['off', 'identity', 'app'])
param graph string = 'off'

@description('PROACTIVE_GRAPH_CLIENT_ID: required for graph app, unused otherwise.')
@maxLength(36)
param graphClientId string = ''

@description('PROACTIVE_GRAPH_TENANT_ID: the only tenant that Graph is asked about; empty: that of the deployment. For graph app, * is the tenant of each send.')
@maxLength(36)
param graphTenantId string = ''

@description('PROACTIVE_GRAPH_URL: where Graph is asked; empty: the cloud\'s.')
param graphUrl string = ''

@description('PROACTIVE_PUBLIC_URL: what addresses begin with, if the app has a domain of its own; empty: its host name in Azure.')
param publicUrl string = ''

@description('PROACTIVE_ALLOW_EVERYONE: whether flows and event sources may send to everyone.')
param allowEveryone bool = false

@description('PROACTIVE_ACTIVE_CHAT_MINUTES: how long a chat is active after a person\'s last message.')
@minValue(0)
@maxValue(1440)
param activeChatMinutes int = 30

@description('PROACTIVE_REQUESTS_PER_SECOND: the ceiling for one bot in one tenant, over all instances. Teams\' own is 50.')
@minValue(1)
@maxValue(100000)
param requestsPerSecond int = 50

@description('PROACTIVE_MAX_MESSAGE_BYTES: the largest activity, as UTF-16. Teams\' own limit is 100 KB.')
@minValue(1024)
@maxValue(1048576)
param maxMessageBytes int = 102400

@description('PROACTIVE_CALLBACK_HOSTS: hosts and dot-led suffixes that callbacks may go to; empty: Logic Apps and Power Platform.')
param callbackHosts array = []

@description('PROACTIVE_SERVICE_HOSTS: exact hosts that bot tokens may be sent to; empty: the four Teams clouds.')
param serviceHosts array = []

@description('PROACTIVE_RETENTION_DAYS: when finished sends are deleted.')
@minValue(1)
@maxValue(3650)
param retentionDays int = 90

@description('PROACTIVE_TRACED_SHARE: the share of sends whose spans are kept. Counts and log lines are of all.')
@allowed(['0', '0.01', '0.05', '0.1', '0.25', '0.5', '1'])
param tracedShare string = '1'

@description('Settings whose values you keep in the vault, which is created for them. SingleTenant adds MicrosoftAppPassword.')
@allowed([
  'PROACTIVE_BOTS'
  'PROACTIVE_CALLBACK_SECRET'
  'PROACTIVE_GRAPH_CERTIFICATE'
  'PROACTIVE_GRAPH_CLIENT_SECRET'
  'PROACTIVE_UPSTREAM_BOT'
])
param settingsFromVault array = []

// Size

// 13 queue functions and HTTP as a whole scale each for itself, so 14 instances is what one of each takes. Teams' ceiling
// for a bot and tenant is what one instance sends, with room to spare; the others are for lanes of several sends at once.
@description('Most instances that all functions together may have.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Memory of an instance in MB. 2048 is one core; the app itself needs about 130.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

// Python's default is one, so that each call that waits (up to 100 seconds) would hold a whole instance. A call that
// waits costs the app next to nothing.
@description('HTTP requests that an instance takes at once.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 100

@description('Instances for HTTP that are always there and always paid for: they spare Teams and flows the start of the first one.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttp int = 0

@description('How storage keeps what is in it: one place, three zones, or two regions.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_LRS'

@description('Days that telemetry is kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

// Watching

@description('Mail addresses that alerts are sent to; empty: they are seen in the portal only.')
param alertEmails array = []

@description('Whether the alerts are on.')
param alerts bool = true

@description('The alert for queues: how old in minutes the oldest message may get. Higher where a backlog is normal.')
@minValue(1)
@maxValue(1440)
param alertQueueMinutes int = 10

@description('Seconds between two asks of one place in the world whether the app is there; 0: nobody asks.')
@allowed([0, 300, 600, 900])
param healthTestSeconds int = 900

// Doors

@description('Whether storage and vault are reached through a virtual network alone. Event sources have to be in it, too.')
param privateNetwork bool = false

@description('Address range of that network: a /24 or larger.')
param addressPrefix string = '10.71.0.0/24'

@description('Entra ID in front of the API, besides function keys. ops: only operators. api: flows as well.')
@allowed(['off', 'ops', 'api'])
param signIn string = 'off'

@description('Client id of the app registration that callers\' tokens are for: required for signIn.')
@maxLength(36)
param signInClientId string = ''

@description('Client ids of further apps whose tokens are let in.')
param signInCallers array = []

var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, { 'azd-env-name': environmentName })
var ownBot = botType == 'UserAssignedMSI'
var fromVault = union(settingsFromVault, ownBot ? [] : ['MicrosoftAppPassword'])
var needsVault = !empty(fromVault)
var graphAsIdentity = graph == 'identity'
var graphTenant = empty(graphTenantId) ? tenant().tenantId : (graphTenantId == '*' ? '' : graphTenantId)
var settings = {
  MicrosoftAppId: ownBot ? identity.outputs.clientId : botAppId
  MicrosoftAppType: botType
  MicrosoftAppTenantId: tenant().tenantId
  PROACTIVE_ACTIVE_CHAT_MINUTES: string(activeChatMinutes)
  PROACTIVE_ALLOW_EVERYONE: allowEveryone ? 'true' : 'false'
  PROACTIVE_BOT_NAME: botName
  PROACTIVE_CALLBACK_HOSTS: join(callbackHosts, ',')
  PROACTIVE_CLOUD: cloud
  PROACTIVE_GRAPH_CLIENT_ID: graphAsIdentity ? graphIdentity!.outputs.clientId : (graph == 'app' ? graphClientId : '')
  PROACTIVE_GRAPH_TENANT_ID: graph == 'off' ? '' : graphTenant
  PROACTIVE_GRAPH_URL: graphUrl
  PROACTIVE_MAX_MESSAGE_BYTES: string(maxMessageBytes)
  PROACTIVE_PUBLIC_URL: publicUrl
  PROACTIVE_REQUESTS_PER_SECOND: string(requestsPerSecond)
  PROACTIVE_RETENTION_DAYS: string(retentionDays)
  PROACTIVE_SERVICE_HOSTS: join(serviceHosts, ',')
  PROACTIVE_TEAMS_APP_ID: teamsAppId
  PROACTIVE_TEAMS_URL: teamsUrl
  PROACTIVE_TRACED_SHARE: tracedShare
  PROACTIVE_UPSTREAM_BOT: upstreamBot
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: empty(resourceGroupName) ? 'rg-${environmentName}' : resourceGroupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: 'identity'
  params: {
    name: 'id-${token}'
    location: location
    tags: allTags
  }
}

// Graph's permissions are wider than a bot's, so it is asked as somebody else: docs/decisions/0020-clouds.md.
module graphIdentity 'modules/identity.bicep' = if (graphAsIdentity) {
  scope: group
  name: 'graph-identity'
  params: {
    name: 'id-${token}-graph'
    location: location
    tags: allTags
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: {
    name: 'st${token}'
    location: location
    tags: allTags
    sku: storageSku
    closed: privateNetwork
  }
}

module workspace 'modules/workspace.bicep' = {
  scope: group
  name: 'workspace'
  params: {
    name: 'log-${token}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    ruleId: ''
  }
}

module redaction 'modules/redaction.bicep' = {
  scope: group
  name: 'redaction'
  params: {
    name: 'dcr-${token}'
    location: location
    tags: allTags
    workspaceId: workspace.outputs.id
  }
}

// The same workspace again: it names the rule and the rule names it, so one of them has to be there first.
module redacted 'modules/workspace.bicep' = {
  scope: group
  name: 'workspace-redacted'
  params: {
    name: 'log-${token}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    ruleId: redaction.outputs.id
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: {
    insightsName: 'appi-${token}'
    location: location
    tags: allTags
    workspaceId: redacted.outputs.id
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  name: 'workbook'
  params: {
    location: location
    tags: allTags
    title: 'Proactive messages (${environmentName})'
    insightsId: monitoring.outputs.insightsId
  }
}

module vault 'modules/keyvault.bicep' = if (needsVault) {
  scope: group
  name: 'vault'
  params: {
    name: 'kv-${token}'
    location: location
    tags: allTags
    closed: privateNetwork
  }
}

module roles 'modules/roles.bicep' = {
  scope: group
  name: 'roles'
  params: {
    principalId: identity.outputs.principalId
    storageName: storage.outputs.name
    insightsName: monitoring.outputs.insightsName
    vaultName: needsVault ? vault!.outputs.name : ''
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  name: 'network'
  params: {
    name: 'vnet-${token}'
    location: location
    tags: allTags
    addressPrefix: addressPrefix
    storageId: storage.outputs.id
    vaultId: needsVault ? vault!.outputs.id : ''
  }
}

// It comes after the roles: an app that starts without them fails until they have spread.
module functions 'modules/functions.bicep' = {
  scope: group
  name: 'functions'
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    graphIdentityId: graphAsIdentity ? graphIdentity!.outputs.id : ''
    storageName: storage.outputs.name
    packageName: storage.outputs.packageName
    insightsName: monitoring.outputs.insightsName
    vaultUri: needsVault ? vault!.outputs.uri : ''
    settingsFromVault: fromVault
    settings: settings
    replyText: replyText
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    httpConcurrency: httpConcurrency
    alwaysReadyHttp: alwaysReadyHttp
  }
  dependsOn: [roles]
}

module door 'modules/signin.bicep' = if (signIn != 'off') {
  scope: group
  name: 'sign-in'
  params: {
    appName: functions.outputs.name
    doors: signIn == 'api' ? 'api' : 'ops'
    clientId: signInClientId
    callers: signInCallers
  }
}

var address = empty(publicUrl) ? 'https://${functions.outputs.hostName}' : publicUrl

module watch 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    name: 'alert-${token}'
    location: location
    tags: allTags
    insightsId: monitoring.outputs.insightsId
    emails: alertEmails
    enabled: alerts
    queueMinutes: alertQueueMinutes
    address: address
    healthTestSeconds: healthTestSeconds
  }
}

module bot 'modules/bot.bicep' = if (createBot) {
  scope: group
  name: 'bot'
  params: {
    name: 'bot-${token}'
    tags: allTags
    displayName: botDisplayName
    sku: botSku
    endpoint: '${address}/api/messages'
    appType: botType
    appId: ownBot ? identity.outputs.clientId : botAppId
    identityId: ownBot ? identity.outputs.id : ''
    cloud: cloud
  }
}

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output APP_NAME string = functions.outputs.name
output APP_URL string = address
output BOT_APP_ID string = ownBot ? identity.outputs.clientId : botAppId
output BOT_RESOURCE string = createBot ? bot!.outputs.name : ''
output GRAPH_CLIENT_ID string = graph == 'off' ? '' : (graph == 'app' ? graphClientId : graphIdentity!.outputs.clientId)
output GRAPH_PRINCIPAL_ID string = graphAsIdentity ? graphIdentity!.outputs.principalId : ''
output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId
output INSIGHTS_NAME string = monitoring.outputs.insightsName
output STORAGE_NAME string = storage.outputs.name
output VAULT_NAME string = needsVault ? vault!.outputs.name : ''
output WORKBOOK_NAME string = workbook.outputs.name
