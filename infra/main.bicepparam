// Values for main.bicep, from the environment: `azd env set NAME value` for azd, exported variables for az.
// Lists and objects are JSON: azd env set PROACTIVE_CALLBACK_HOSTS '["flows.contoso.com"]'
// `any` where only some numbers are allowed: the compiler takes no plain int for one of them, so Azure checks it (BCP033).
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param resourceGroupName = readEnvironmentVariable('AZURE_RESOURCE_GROUP', '')
param tags = json(readEnvironmentVariable('TAGS', '{}'))

param botType = readEnvironmentVariable('BOT_TYPE', 'UserAssignedMSI')
param botAppId = readEnvironmentVariable('BOT_REGISTRATION', '')
param botDisplayName = readEnvironmentVariable('BOT_DISPLAY_NAME', 'Notifications')
param createBot = bool(readEnvironmentVariable('CREATE_BOT', 'true'))
param botSku = readEnvironmentVariable('BOT_SKU', 'F0')

param cloud = readEnvironmentVariable('PROACTIVE_CLOUD', 'public')
param botName = readEnvironmentVariable('PROACTIVE_BOT_NAME', 'default')
param teamsAppId = readEnvironmentVariable('PROACTIVE_TEAMS_APP_ID', '')
param replyText = readEnvironmentVariable('PROACTIVE_REPLY_TEXT', 'I only bring notifications: nobody reads what is written here.')
param upstreamBot = readEnvironmentVariable('PROACTIVE_UPSTREAM_BOT', '')
param teamsUrl = readEnvironmentVariable('PROACTIVE_TEAMS_URL', '')
param graph = readEnvironmentVariable('GRAPH', 'off')
param graphClientId = readEnvironmentVariable('PROACTIVE_GRAPH_CLIENT_ID', '')
param graphTenantId = readEnvironmentVariable('PROACTIVE_GRAPH_TENANT_ID', '')
param graphUrl = readEnvironmentVariable('PROACTIVE_GRAPH_URL', '')
param publicUrl = readEnvironmentVariable('PROACTIVE_PUBLIC_URL', '')
param allowEveryone = bool(readEnvironmentVariable('PROACTIVE_ALLOW_EVERYONE', 'false'))
param activeChatMinutes = int(readEnvironmentVariable('PROACTIVE_ACTIVE_CHAT_MINUTES', '30'))
param requestsPerSecond = int(readEnvironmentVariable('PROACTIVE_REQUESTS_PER_SECOND', '50'))
param maxMessageBytes = int(readEnvironmentVariable('PROACTIVE_MAX_MESSAGE_BYTES', '102400'))
param callbackHosts = json(readEnvironmentVariable('PROACTIVE_CALLBACK_HOSTS', '[]'))
param serviceHosts = json(readEnvironmentVariable('PROACTIVE_SERVICE_HOSTS', '[]'))
param retentionDays = int(readEnvironmentVariable('PROACTIVE_RETENTION_DAYS', '90'))
param tracedShare = readEnvironmentVariable('PROACTIVE_TRACED_SHARE', '1')
param settingsFromVault = json(readEnvironmentVariable('SETTINGS_FROM_VAULT', '[]'))

param maximumInstanceCount = int(readEnvironmentVariable('MAXIMUM_INSTANCE_COUNT', '40'))
param instanceMemoryMB = any(int(readEnvironmentVariable('INSTANCE_MEMORY_MB', '2048')))
param httpConcurrency = int(readEnvironmentVariable('HTTP_CONCURRENCY', '100'))
param alwaysReadyHttp = int(readEnvironmentVariable('ALWAYS_READY_HTTP', '0'))
param storageSku = readEnvironmentVariable('STORAGE_SKU', 'Standard_LRS')
param logRetentionDays = int(readEnvironmentVariable('LOG_RETENTION_DAYS', '30'))

param alertEmails = json(readEnvironmentVariable('ALERT_EMAILS', '[]'))
param alerts = bool(readEnvironmentVariable('ALERTS', 'true'))
param alertQueueMinutes = int(readEnvironmentVariable('ALERT_QUEUE_MINUTES', '10'))
param healthTestSeconds = any(int(readEnvironmentVariable('HEALTH_TEST_SECONDS', '900')))

param privateNetwork = bool(readEnvironmentVariable('PRIVATE_NETWORK', 'false'))
param addressPrefix = readEnvironmentVariable('ADDRESS_PREFIX', '10.71.0.0/24')
param signIn = readEnvironmentVariable('SIGN_IN', 'off')
param signInClientId = readEnvironmentVariable('SIGN_IN_CLIENT_ID', '')
param signInCallers = json(readEnvironmentVariable('SIGN_IN_CALLERS', '[]'))
