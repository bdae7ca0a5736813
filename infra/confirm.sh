#!/usr/bin/env bash
# After a deployment: asks Azure for what nothing but Azure can tell. docs/confirm.md says what each check is for.
#
#   azd env get-values > deployed.env && infra/confirm.sh deployed.env
#
# It changes nothing. It needs the Azure CLI, signed in, and curl. It ends with 1 if a check failed.
set -uo pipefail

while IFS='=' read -r name value; do
  value=${value#\"} value=${value%\"}
  case $name in
    ALERTS | APP_NAME | APP_URL | AZURE_RESOURCE_GROUP | BOT_APP_ID | BOT_RESOURCE | GRAPH_PRINCIPAL_ID | \
      HEALTH_TEST_SECONDS | IDENTITY_PRINCIPAL_ID | INSIGHTS_NAME | PRIVATE_NETWORK | SIGN_IN | STORAGE_NAME | VAULT_NAME | \
      WORKBOOK_NAME) declare "$name=$value" ;;
  esac
done < "${1:?the file with the outputs of the deployment}"
: "${APP_NAME:?}" "${APP_URL:?}" "${AZURE_RESOURCE_GROUP:?}" "${STORAGE_NAME:?}" "${IDENTITY_PRINCIPAL_ID:?}" "${INSIGHTS_NAME:?}"

# The telemetry is asked by an extension of the CLI, which would ask, unheard, whether it may be installed.
export AZURE_EXTENSION_USE_DYNAMIC_INSTALL=yes_without_prompt

failed=0
check() { # what is asked, what is expected, the answer
  if [[ $3 == "$2" ]]; then
    printf 'ok      %s\n' "$1"
  else
    printf 'FAILED  %s: %s, not %s\n' "$1" "${3:-nothing}" "$2"
    failed=1
  fi
}
ask() { az "$@" --output tsv 2> /dev/null; }
status() { curl --silent --output /dev/null --max-time 60 --write-out '%{http_code}' "$@"; }
app() { ask resource show --resource-group "$AZURE_RESOURCE_GROUP" --resource-type Microsoft.Web/sites --name "$APP_NAME" --query "$1"; }
# The identity's roles on a scope. By a query: not every version of the CLI can list by object id without asking Graph.
roles() { ask role assignment list "$@" --query "length([?principalId=='$IDENTITY_PRINCIPAL_ID'])"; }
account() { ask storage account show --resource-group "$AZURE_RESOURCE_GROUP" --name "$STORAGE_NAME" --query "$1"; }

# Storage
check 'storage refuses shared keys' false "$(account allowSharedKeyAccess)"
check 'no blob is public' false "$(account allowBlobPublicAccess)"
check 'storage speaks TLS 1.2' TLS1_2 "$(account minimumTlsVersion)"
scope=$(account id)
for role in 'Storage Blob Data Owner' 'Storage Queue Data Contributor' 'Storage Table Data Contributor'; do
  check "the identity is $role" 1 "$(roles --scope "$scope" --role "$role")"
done
check 'the identity has no role on the resource group' 0 "$(roles --resource-group "$AZURE_RESOURCE_GROUP")"

# The app
check 'the app runs' Running "$(app properties.state)"
check 'the app runs Python 3.13' 3.13 "$(app properties.functionAppConfig.runtime.version)"
check 'all functions are there' 19 \
  "$(ask functionapp function list --resource-group "$AZURE_RESOURCE_GROUP" --name "$APP_NAME" --query 'length(@)')"
check 'the app reaches tables and queues as its identity' 200 "$(status "$APP_URL/api/health")"
check 'no password deploys' false \
  "$(ask resource show --resource-group "$AZURE_RESOURCE_GROUP" --namespace Microsoft.Web \
    --parent "sites/$APP_NAME" --resource-type basicPublishingCredentialsPolicies --name scm --query properties.allow)"
check 'the operators'"'"' page opens' 200 "$(status "$APP_URL/api/ui")"
check 'what claims to be Teams is refused' 401 \
  "$(status --request POST --header 'Content-Type: application/json' --data '{"type":"message"}' "$APP_URL/api/messages")"
check 'a wrong outcome address is unknown, and asks for no sign-in' 404 "$(status "$APP_URL/api/outcomes/none/none")"
check 'v1 asks for a key' 401 "$(status "$APP_URL/api/v1/bots")"
check 'ops asks for a key' 401 "$(status "$APP_URL/api/ops/bots")"
key=$(ask functionapp function keys list --resource-group "$AZURE_RESOURCE_GROUP" --name "$APP_NAME" --function-name ops --query default)
expected=200
[[ ${SIGN_IN:-off} == off ]] || expected=401
# The key goes over standard input: arguments can be read by everyone on this machine.
check 'the key of ops opens ops, unless Entra stands in front' "$expected" \
  "$(printf 'header = "x-functions-key: %s"\n' "$key" | status --config - "$APP_URL/api/ops/bots")"

# The bot
if [[ -n ${BOT_RESOURCE:-} ]]; then
  bot() { ask resource show --resource-group "$AZURE_RESOURCE_GROUP" --resource-type Microsoft.BotService/botServices --name "$BOT_RESOURCE" --query "$1"; }
  check 'the bot leads to the app' "$APP_URL/api/messages" "$(bot properties.endpoint)"
  check 'the bot is the identity' "$BOT_APP_ID" "$(bot properties.msaAppId)"
  check 'the bot is in Teams' true \
    "$(ask bot msteams show --resource-group "$AZURE_RESOURCE_GROUP" --name "$BOT_RESOURCE" --query properties.properties.isEnabled)"
fi

# The vault: each reference has to be resolved, or the app would take its text for the secret
if [[ -n ${VAULT_NAME:-} ]]; then
  check 'every reference to the vault is resolved' 0 \
    "$(ask rest --method get --url "$(app id)/config/configreferences/appsettings?api-version=2024-04-01" \
      --query "length(value[?properties.status!='Resolved'])")"
fi

# Graph: what was granted, to read
if [[ -n ${GRAPH_PRINCIPAL_ID:-} ]]; then
  printf 'Graph permissions (ids of app roles):\n'
  ask rest --method get --url "https://graph.microsoft.com/v1.0/servicePrincipals/$GRAPH_PRINCIPAL_ID/appRoleAssignments" --query 'value[].appRoleId'
fi

# Telemetry is taken from the identity: something has to have come in
component() { ask resource show --resource-group "$AZURE_RESOURCE_GROUP" --resource-type Microsoft.Insights/components --name "$INSIGHTS_NAME" --query "$1"; }
insights=$(component properties.AppId)
logs() { ask monitor app-insights query --app "$insights" --analytics-query "$1" --query 'tables[0].rows[0][0]'; }
check 'telemetry arrives' true \
  "$(logs 'union requests, traces | where timestamp > ago(30m) | summarize n = count() | project n > 0')"
# Counts go out once a minute; that of the ceiling with the first call of all.
check 'the counts of the app arrive' true \
  "$(logs "customMetrics | where timestamp > ago(1h) and name startswith 'proactive.' | summarize n = count() | project n > 0")"
if [[ $(logs "customMetrics | where timestamp > ago(1h) and name == 'proactive.sends.accepted' | summarize sum(valueSum)") =~ ^[1-9] ]]; then
  check 'the spans of sends arrive' true \
    "$(logs "dependencies | where timestamp > ago(1h) and isnotempty(customDimensions['proactive.send']) | summarize n = count() | project n > 0")"
else
  printf 'skipped the spans of sends arrive: nothing was sent within the last hour\n'
fi
check 'no path that opens an outcome is kept' 0 \
  "$(logs "requests | where timestamp > ago(1h) and url matches regex '/api/outcomes/.' | summarize count()")"
workspace=$(component properties.WorkspaceResourceId)
check 'the workspace names the rule that cuts paths' 1 \
  "$(ask resource show --ids "$workspace" --query "length([properties.defaultDataCollectionRuleResourceId][?@])")"

# Who watches
check 'the workbook is there' shared \
  "$(ask resource show --resource-group "$AZURE_RESOURCE_GROUP" --resource-type Microsoft.Insights/workbooks --name "${WORKBOOK_NAME:-}" --query kind)"
rules() { ask rest --method get --url "/subscriptions/{subscriptionId}/resourceGroups/$AZURE_RESOURCE_GROUP/providers/Microsoft.Insights/$1" --query "length(value[?properties.enabled && starts_with(name, 'alert-')])"; }
if [[ ${ALERTS:-true} == true ]]; then
  check 'all alerts on counts are on' 7 "$(rules 'scheduledQueryRules?api-version=2023-12-01')"
  if [[ ${HEALTH_TEST_SECONDS:-900} != 0 ]]; then
    check 'the alert on health is on' 1 "$(rules 'metricAlerts?api-version=2018-03-01')"
  fi
fi
if [[ ${HEALTH_TEST_SECONDS:-900} != 0 ]]; then
  check 'the app is asked from outside' true \
    "$(logs 'availabilityResults | where timestamp > ago(1h) | summarize n = count() | project n > 0')"
fi

if [[ ${PRIVATE_NETWORK:-false} == true ]]; then
  check 'storage is closed to the internet' Disabled "$(account publicNetworkAccess)"
  check 'storage does not answer from here' 403 "$(status --header 'x-ms-version: 2023-11-03' "$(account primaryEndpoints.queue)?comp=list")"
fi

exit $failed
