// Entra ID in front of the API: who has no token of this organisation does not get as far as a function key.

@description('Name of the function app.')
param appName string

@description('Which doors want a token: ops alone, or api (ops and v1).')
@allowed(['ops', 'api'])
param doors string

@description('Client id of the app registration that tokens are for.')
param clientId string

@description('Client ids of the apps that may call besides the registration itself.')
param callers array

// Teams, whoever polls an outcome, monitors and the bare frame of the operators' page bring no token of Entra's.
// Each is named with what is below it as well.
var openDoors = ['/api/messages', '/api/outcomes', '/api/health', '/api/ui']
var flowDoors = doors == 'ops' ? ['/api/v1'] : []
var open = concat(openDoors, flowDoors)

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: appName
}

resource signIn 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      excludedPaths: concat(open, map(open, path => '${path}/*'))
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [clientId, 'api://${clientId}']
          defaultAuthorizationPolicy: {
            allowedApplications: union([clientId], callers)
          }
        }
      }
    }
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}
