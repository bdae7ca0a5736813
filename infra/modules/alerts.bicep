// What an operator is told of without asking, and the test that asks from outside whether the app is there.
// docs/operations.md says what to do about each. The metrics are those of docs/telemetry.md.

@description('What the names of the resources begin with.')
@minLength(1)
@maxLength(60)
param name string

@description('Azure region.')
param location string

@description('Tags of the resources.')
param tags object

@description('Resource id of the Application Insights component.')
param insightsId string

@description('Mail addresses that are told; empty: alerts are seen in the portal only.')
param emails array

@description('Whether the alerts are on.')
param enabled bool

@description('How old in minutes the oldest message of a queue may get.')
@minValue(1)
@maxValue(1440)
param queueMinutes int

@description('Address of the app, without a path.')
param address string

@description('Seconds between two asks of one place in the world; 0: nobody asks.')
@allowed([0, 300, 600, 900])
param healthTestSeconds int

var rules = [
  {
    name: 'poison-depth'
    title: 'Messages wait on a poison queue'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    // The least of all looks: functions empty these queues at once, sends-poison apart.
    query: '''
      customMetrics
      | where name == "proactive.queue.length"
      | extend queue = tostring(customDimensions["queue"])
      | where queue endswith "-poison"
      | summarize depth = min(valueSum) by queue'''
    column: 'depth'
    aggregation: 'Maximum'
    threshold: 0
    dimensions: ['queue']
    todo: 'sends-poison: an event source sends what is no valid send. GET /api/ops/rejected has the reasons. Another one: its function fails, see exceptions.'
  }
  {
    name: 'queue-age'
    title: 'A message waits for too long'
    severity: 1
    frequency: 'PT5M'
    window: 'PT10M'
    // Old at each look: a single one may meet a message whose time has only just come.
    query: '''
      customMetrics
      | where name == "proactive.queue.age"
      | extend queue = tostring(customDimensions["queue"])
      | where queue !endswith "-poison"
      | summarize looks = count(), age = min(valueSum) by queue
      | where looks > 1
      | project queue, age'''
    column: 'age'
    aggregation: 'Maximum'
    threshold: queueMinutes * 60
    dimensions: ['queue']
    todo: 'Nobody takes messages off this queue, or there are more than the instances manage. See whether its function runs and fails; restart the app; raise MAXIMUM_INSTANCE_COUNT.'
  }
  {
    name: 'throttled'
    title: 'Teams slows the bot down'
    severity: 2
    frequency: 'PT15M'
    window: 'PT15M'
    query: '''
      customMetrics
      | where name == "proactive.teams.requests"
      | extend bot = tostring(customDimensions["bot"]), tenant = tostring(customDimensions["tenant"])
      | extend status = tostring(customDimensions["status"])
      | summarize requests = sum(valueSum), refused = sumif(valueSum, status == "429") by bot, tenant
      | where requests >= 100
      | project bot, tenant, share = 100.0 * refused / requests'''
    column: 'share'
    aggregation: 'Maximum'
    threshold: 10
    dimensions: ['bot', 'tenant']
    todo: 'More than 10 percent of the requests were answered 429. Nothing is lost. If it stays, lower PROACTIVE_REQUESTS_PER_SECOND, or find what else sends as this bot.'
  }
  {
    name: 'in-doubt'
    title: 'Nobody knows whether messages arrived'
    severity: 2
    frequency: 'PT15M'
    window: 'PT15M'
    query: '''
      customMetrics
      | where name == "proactive.in_doubt"
      | summarize people = sum(valueSum)'''
    column: 'people'
    aggregation: 'Total'
    threshold: 20
    dimensions: []
    todo: 'Instances died or Teams broke off. By ifOutcomeUnknown these people get it twice or end in 504. After a deployment: hold the bots next time.'
  }
  {
    name: 'callbacks-given-up'
    title: 'Flows were not told of an outcome'
    severity: 3
    frequency: 'PT15M'
    window: 'PT15M'
    query: '''
      customMetrics
      | where name == "proactive.callbacks"
      | extend outcome = tostring(customDimensions["outcome"]), status = tostring(customDimensions["status"])
      | where outcome == "givenUp"
      | summarize calls = sum(valueSum) by status'''
    column: 'calls'
    aggregation: 'Total'
    threshold: 0
    dimensions: ['status']
    todo: 'The status is the last answer, 0 for none. 404 and 409: the run is over, nothing to do. Outcomes stay readable at the send.'
  }
  {
    name: 'token-failures'
    title: 'The app cannot sign in'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    query: '''
      customMetrics
      | where name == "proactive.tokens.failed"
      | extend whose = tostring(customDimensions["of"])
      | summarize tokens = sum(valueSum) by whose'''
    column: 'tokens'
    aggregation: 'Total'
    threshold: 2
    dimensions: ['whose']
    todo: 'Sends wait and go on once it works. The log line "No token for" names the setting to check: an expired secret, a removed registration, a lost consent.'
  }
  {
    name: 'failed-share'
    title: 'Many messages cannot be delivered'
    severity: 2
    frequency: 'PT15M'
    window: 'PT30M'
    query: '''
      customMetrics
      | where name == "proactive.deliveries"
      | extend state = tostring(customDimensions["state"])
      | summarize everybody = sum(valueSum), failed = sumif(valueSum, state == "failed")
      | where everybody >= 20
      | project share = 100.0 * failed / everybody'''
    column: 'share'
    aggregation: 'Maximum'
    threshold: 20
    dimensions: []
    todo: 'More than 20 percent failed for good. The workbook has the reasons. Mend the cause, then POST /api/ops/sends/{id}/retry.'
  }
]
// Places that tests are made from: https://learn.microsoft.com/azure/azure-monitor/app/availability
var placesByCloud = {
  AzureCloud: ['emea-nl-ams-azr', 'emea-gb-db3-azr', 'us-va-ash-azr', 'us-ca-sjc-azr', 'apac-sg-sin-azr']
  AzureUSGovernment: ['usgov-va-azr', 'usgov-phx-azr', 'usgov-tx-azr']
}
var places = placesByCloud[?environment().name] ?? []
var actionGroups = empty(emails) ? [] : [people.id]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: '${name}-people'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'proactive'
    emailReceivers: [for (email, index) in emails: {
      name: 'mail-${index}'
      emailAddress: email
      useCommonAlertSchema: true
    }]
  }
}

// They run with the rights that whoever deploys has at that moment, so no identity is needed.
resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: rule.todo
    severity: rule.severity
    enabled: enabled
    autoMitigate: true
    scopes: [insightsId]
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    // A new workspace knows its tables with the first rows only.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: rule.column
          timeAggregation: rule.aggregation
          operator: 'GreaterThan'
          threshold: rule.threshold
          dimensions: map(rule.dimensions, dimension => {
            name: dimension
            operator: 'Include'
            values: ['*']
          })
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actionGroups
    }
  }
}]

// It also has the app look at its queues while nothing else happens.
resource test 'Microsoft.Insights/webtests@2022-06-15' = if (!empty(places)) {
  name: '${name}-health'
  location: location
  tags: union(tags, { 'hidden-link:${insightsId}': 'Resource' })
  kind: 'standard'
  properties: {
    Name: '${name}-health'
    SyntheticMonitorId: '${name}-health'
    Description: 'Asks the app whether storage answers.'
    Enabled: healthTestSeconds > 0
    Kind: 'standard'
    Frequency: healthTestSeconds == 0 ? 900 : healthTestSeconds
    // A new instance may take half a minute to start.
    Timeout: 120
    RetryEnabled: true
    Locations: map(places, place => { Id: place })
    Request: {
      RequestUrl: '${address}/api/health'
      HttpVerb: 'GET'
      FollowRedirects: false
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 7
    }
  }
}

resource health 'Microsoft.Insights/metricAlerts@2018-03-01' = if (!empty(places)) {
  name: '${name}-health'
  location: 'global'
  // The portal shows the alert at its test by these.
  tags: union(tags, { 'hidden-link:${insightsId}': 'Resource', 'hidden-link:${test.id}': 'Resource' })
  properties: {
    description: 'The app does not answer, or storage does not answer the app: infra/confirm.sh names what is missing; exceptions have the sentence of a setting that is malformed.'
    severity: 0
    enabled: enabled && healthTestSeconds > 0
    autoMitigate: true
    scopes: [test.id, insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      componentId: insightsId
      webTestId: test.id
      // More than half of the places: one that is cut off is no alarm.
      failedLocationCount: (length(places) / 2) + 1
    }
    actions: map(actionGroups, id => { actionGroupId: id })
  }
}
