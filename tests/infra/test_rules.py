"""The rules that a deployment has to keep. Each is shown to fail once the Bicep is changed to break it."""

import re

from proactive.store.account import QUEUES, TABLES
from tests.infra.bicep import ROOT, Deployment, words
from tests.infra.rules import Rules, by_condition

STORAGE = "modules/storage.bicep"
FUNCTIONS = "modules/functions.bicep"
ROLES = "modules/roles.bicep"
SIGN_IN = "modules/signin.bicep"
VAULT = "modules/keyvault.bicep"
NETWORK = "modules/network.bicep"
MONITORING = "modules/monitoring.bicep"
WORKSPACE = "modules/workspace.bicep"
BOT = "modules/bot.bicep"
MAIN = "main.bicep"
APP = (ROOT / "function_app.py").read_text("utf-8")

# https://learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations
FORBIDDEN = {
    "ENABLE_ORYX_BUILD", "FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED", "FUNCTIONS_WORKER_PROCESS_COUNT", "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION", "SCM_DO_BUILD_DURING_DEPLOYMENT", "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET", "WEBSITE_CONTENTSHARE", "WEBSITE_DNS_SERVER",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT", "WEBSITE_NODE_DEFAULT_VERSION", "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_SKIP_CONTENTSHARE_VALIDATION", "WEBSITE_TIME_ZONE", "WEBSITE_VNET_ROUTE_ALL",
}  # fmt: skip
FORBIDDEN_SITE = {
    "alwaysOn", "containerSize", "ftpsState", "functionAppScaleLimit", "isReserved", "isXenon", "javaVersion",
    "linuxFxVersion", "minimumElasticInstanceCount", "netFrameworkVersion", "numberOfWorkers", "powerShellVersion",
    "preWarmedInstanceCount", "use32BitWorkerProcess", "vnetRouteAllEnabled", "windowsFxVersion",
}  # fmt: skip
ROLE_NAMES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
}
SECRET = re.compile(r"password|secret|key(?!vault)|connectionstring|token(?!$)|sas\b", re.IGNORECASE)


RULES = Rules()
rule = RULES.rule


# Storage


@rule(
    (STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"), (STORAGE, "allowSharedKeyAccess: false", "")
)
def storage_takes_no_shared_keys(deployment: Deployment) -> None:
    for account in deployment.resources("Microsoft.Storage/storageAccounts"):
        assert account.at("properties.allowSharedKeyAccess") is False
        assert account.at("properties.defaultToOAuthAuthentication") is True


@rule(
    (STORAGE, "allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
    (STORAGE, "allowBlobPublicAccess: false", ""),
    (STORAGE, "publicAccess: 'None'", "publicAccess: 'Blob'"),
)
def no_blob_is_public(deployment: Deployment) -> None:
    for account in deployment.resources("Microsoft.Storage/storageAccounts"):
        assert account.at("properties.allowBlobPublicAccess") is False
    for container in deployment.resources("Microsoft.Storage/storageAccounts/blobServices/containers"):
        assert container.at("properties.publicAccess") == "None"


@rule(
    (STORAGE, "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'"),
    (STORAGE, "supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: false"),
    (FUNCTIONS, "      minTlsVersion: '1.2'", "      minTlsVersion: '1.0'"),
    (FUNCTIONS, "scmMinTlsVersion: '1.2'", "scmMinTlsVersion: '1.1'"),
    (FUNCTIONS, "httpsOnly: true", "httpsOnly: false"),
)
def everything_speaks_tls_1_2(deployment: Deployment) -> None:
    for account in deployment.resources("Microsoft.Storage/storageAccounts"):
        assert account.at("properties.minimumTlsVersion") == "TLS1_2"
        assert account.at("properties.supportsHttpsTrafficOnly") is True
    app = deployment.resource("Microsoft.Web/sites")
    assert app.at("properties.httpsOnly") is True
    assert app.at("properties.siteConfig.minTlsVersion") == "1.2"
    assert app.at("properties.siteConfig.scmMinTlsVersion") == "1.2"


@rule((STORAGE, "allowCrossTenantReplication: false", "allowCrossTenantReplication: true"))
def storage_is_copied_to_no_other_tenant(deployment: Deployment) -> None:
    assert (
        deployment.resource("Microsoft.Storage/storageAccounts").at("properties.allowCrossTenantReplication") is False
    )


@rule(
    (STORAGE, "'timers', ", ""),
    (STORAGE, "'${queue}-poison'", "'${queue}-dead'"),
    (STORAGE, "concat(queueNames, poisonNames)", "queueNames"),
    (STORAGE, "'rejected', ", ""),
)
def every_queue_poison_queue_and_table_is_created(deployment: Deployment) -> None:
    queues = deployment.variable(STORAGE, "queueNames")
    poison = deployment.variable(STORAGE, "poisonNames")["function"]["parameters"]
    pattern = poison["arg_2"]["detail"]["expression"]
    created = {*queues, *(pattern.replace("${queue}", name) for name in queues)}
    loop = deployment.resource("Microsoft.Storage/storageAccounts/queueServices/queues").loop["detail"]["array_name"]
    both = {"type": "concat", "parameters": {"arg_1": "queueNames", "arg_2": "poisonNames"}}
    assert loop == {"function": both}
    assert created == {*QUEUES, *(f"{name}-poison" for name in QUEUES)}
    assert len(triggers()) > len(QUEUES)
    assert set(triggers()) <= created
    assert set(deployment.variable(STORAGE, "tableNames")) == set(TABLES)
    tables = deployment.resource("Microsoft.Storage/storageAccounts/tableServices/tables")
    assert tables.loop["detail"]["array_name"] == "tableNames"


def triggers() -> list[str]:
    """Return the queue of each queue function of the app."""
    return re.findall(r'@app\.queue_trigger\("\w+", "([\w-]+)"', APP)


# Identity


@rule(
    (FUNCTIONS, "type: 'UserAssigned'\n", "type: 'SystemAssigned'\n"),
    (FUNCTIONS, "type: 'UserAssignedIdentity'", "type: 'StorageAccountConnectionString'"),
    (FUNCTIONS, "keyVaultReferenceIdentity: identityId", ""),
)
def the_app_is_a_user_assigned_identity(deployment: Deployment) -> None:
    app = deployment.resource("Microsoft.Web/sites")
    package = app.at("properties.functionAppConfig.deployment.storage")
    assert app.at("identity.type") == "UserAssigned"
    assert app.at("properties.keyVaultReferenceIdentity") == "identityId"
    assert package["type"] == "blobContainer"
    assert package["authentication"]["type"] == "UserAssignedIdentity"
    assert package["authentication"]["userAssignedIdentityResourceId"] == "identityId"


@rule(
    (FUNCTIONS, "AzureWebJobsStorage__tableServiceUri:", "AzureWebJobsStorage__tables:"),
    (FUNCTIONS, "AzureWebJobsStorage__blobServiceUri: 'https:", "AzureWebJobsStorage__blobServiceUri: 'http:"),
    (FUNCTIONS, "AzureWebJobsStorage__credential: 'managedidentity'", "AzureWebJobsStorage__credential: 'key'"),
    (FUNCTIONS, "AzureWebJobsStorage__clientId: identityClientId", ""),
    (FUNCTIONS, "var platformSettings = {", "var platformSettings = {\n  AzureWebJobsStorage: 'AccountKey=x'"),
)
def host_and_app_reach_storage_by_identity(deployment: Deployment) -> None:
    settings = deployment.settings()
    for service in ("blob", "queue", "table"):
        address = settings.get(f"AzureWebJobsStorage__{service}ServiceUri")
        assert address == f"https://${{storageName}}.{service}.${{storageSuffix}}"
    assert settings.get("AzureWebJobsStorage__credential") == "managedidentity"
    assert settings.get("AzureWebJobsStorage__clientId") == "identityClientId"
    assert "AzureWebJobsStorage" not in settings


@rule(
    (MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false"),
    (WORKSPACE, "disableLocalAuth: true", ""),
    (FUNCTIONS, ";Authorization=AAD", ""),
)
def telemetry_is_taken_from_identities_only(deployment: Deployment) -> None:
    insights = deployment.resource("Microsoft.Insights/components")
    workspace = deployment.resource("Microsoft.OperationalInsights/workspaces")
    assert insights.at("properties.DisableLocalAuth") is True
    assert workspace.at("properties.features.disableLocalAuth") is True
    authentication = deployment.settings()["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]
    assert authentication == "ClientId=${identityClientId};Authorization=AAD"


@rule(
    (ROLES, "  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'", "  '00000000-b9d0-4cc4-a60d-0319b160aaa3'"),
    (ROLES, "'974c5e8b-45b9-4653-ba55-5f855dd0fb88' //", "'17d1049b-9a84-46fb-8f53-869881c3d3ab' //"),
    (ROLES, "var storageRoles = [\n", "var storageRoles = [\n  '17d1049b-9a84-46fb-8f53-869881c3d3ab'\n"),
    (ROLES, "4633458b-17de-408a-b874-0445c86b69e6", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"),
    (ROLES, "  scope: vault\n", ""),
    (ROLES, "  scope: insights\n", "  scope: account\n"),
    (ROLES, "  scope: account\n", "  scope: resourceGroup()\n"),
    (
        MAIN,
        "resource group '",
        "resource extra 'Microsoft.Authorization/roleAssignments@2022-04-01' = {}\n\nresource group '",
    ),
)
def the_identity_has_exactly_the_roles_it_needs(deployment: Deployment) -> None:
    found = set()
    for assignment in deployment.resources("Microsoft.Authorization/roleAssignments"):
        role = (assignment.at("properties.roleDefinitionId.function.parameters") or {}).get("resource_name_1")
        roles = deployment.variable(ROLES, "storageRoles" if assignment.loop else str(role))
        found |= {(str(assignment.at("scope")), each) for each in (roles if assignment.loop else [roles])}
        assert assignment.at("properties.principalType") == "ServicePrincipal"
    ids = list(ROLE_NAMES)
    assert found == {*(("account", each) for each in ids[:3]), ("insights", ids[3]), ("vault", ids[4])}


@rule(
    (ROLES, "// Storage Blob Data Owner:", "// Storage Blob Data Reader:"),
    (ROLES, " // Key Vault Secrets User: reads secrets, lists and changes none", ""),
)
def every_id_of_a_role_stands_beside_its_name(deployment: Deployment) -> None:
    for file, text in deployment.texts.items():
        for line in text.splitlines():
            for id_ in re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", line):
                assert id_ in ROLE_NAMES, f"{file}: {id_} is no role that is known here"
                assert f"// {ROLE_NAMES[id_]}" in line, f"{file}: {id_} is {ROLE_NAMES[id_]}"


@rule((MAIN, "dependsOn: [roles]", ""), (MAIN, "dependsOn: [roles]", "dependsOn: []"))
def the_app_starts_after_its_roles_are_there(deployment: Deployment) -> None:
    assert deployment.modules()["functions"].at("dependsOn") == ["roles"]


# The app


@rule(
    (FUNCTIONS, "name: 'FC1'", "name: 'Y1'"),
    (FUNCTIONS, "version: '3.13'", "version: '3.12'"),
    (FUNCTIONS, "name: 'python'", "name: 'node'"),
    (FUNCTIONS, "reserved: true", "reserved: false"),
)
def the_app_runs_python_3_13_on_flex_consumption(deployment: Deployment) -> None:
    plan = deployment.resource("Microsoft.Web/serverfarms")
    assert plan.at("sku") == {"name": "FC1", "tier": "FlexConsumption"}
    assert plan.at("properties.reserved") is True
    runtime = deployment.resource("Microsoft.Web/sites").at("properties.functionAppConfig.runtime")
    assert runtime == {"name": "python", "version": "3.13"}


@rule(
    (FUNCTIONS, "  PROACTIVE_REPLY_TEXT: replyText", "  FUNCTIONS_WORKER_RUNTIME: 'python'"),
    (MAIN, "  PROACTIVE_CLOUD: cloud\n", "  SCM_DO_BUILD_DURING_DEPLOYMENT: 'true'\n"),
    (FUNCTIONS, "http20Enabled: true", "linuxFxVersion: 'Python|3.13'"),
    (FUNCTIONS, "http20Enabled: true", "appSettings: []"),
)
def nothing_is_set_that_flex_consumption_forbids(deployment: Deployment) -> None:
    every = {word for parsed in deployment.trees.values() for word in words(parsed) if isinstance(word, str)}
    assert not every & FORBIDDEN
    site = deployment.resource("Microsoft.Web/sites").at("properties.siteConfig")
    assert not set(site) & FORBIDDEN_SITE
    assert "appSettings" not in site, "two places for settings overwrite one another"


@rule(
    (MAIN, "param maximumInstanceCount int = 40", "param maximumInstanceCount int = 10"),
    (FUNCTIONS, "maximumInstanceCount: maximumInstanceCount", ""),
)
def every_queue_can_have_instances_beside_a_busy_one(deployment: Deployment) -> None:
    groups = len(triggers()) + 1  # HTTP functions share instances, a queue function has its own
    scale = deployment.resource("Microsoft.Web/sites").at("properties.functionAppConfig.scaleAndConcurrency")
    assert scale.get("maximumInstanceCount") == "maximumInstanceCount"
    assert deployment.default("maximumInstanceCount") >= 2 * groups


@rule(
    (MAIN, "param httpConcurrency int = 100", "param httpConcurrency int = 1"),
    (FUNCTIONS, "perInstanceConcurrency: httpConcurrency", ""),
)
def calls_that_wait_share_an_instance(deployment: Deployment) -> None:
    scale = deployment.resource("Microsoft.Web/sites").at("properties.functionAppConfig.scaleAndConcurrency")
    assert scale["triggers"]["http"].get("perInstanceConcurrency") == "httpConcurrency"
    assert deployment.default("httpConcurrency") >= 100


@rule((FUNCTIONS, "allow: false", "allow: true"), (FUNCTIONS, "['ftp', 'scm']", "['ftp']"))
def nobody_deploys_with_a_password(deployment: Deployment) -> None:
    policy = deployment.resource("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert policy.at("properties.allow") is False
    assert policy.loop["detail"]["array_name"] == ["ftp", "scm"]


# The bot


@rule(
    (MAIN, "param botType string = 'UserAssignedMSI'", "param botType string = 'SingleTenant'"),
    (BOT, "disableLocalAuth: true", "disableLocalAuth: false"),
    (BOT, "msaAppMSIResourceId: appType == 'UserAssignedMSI' ? identityId : null", ""),
    (MAIN, "@allowed(['UserAssignedMSI', ", "@allowed(['MultiTenant', 'UserAssignedMSI', "),
)
def the_bot_has_no_secret_unless_it_is_asked_for(deployment: Deployment) -> None:
    bot = deployment.resource("Microsoft.BotService/botServices")
    assert deployment.default("botType") == "UserAssignedMSI"
    assert "MultiTenant" not in set(words(deployment.main["parameters"]["botType"]))
    assert "identityId" in set(words(bot.at("properties.msaAppMSIResourceId")))
    assert bot.at("properties.disableLocalAuth") is True


@rule(
    (BOT, "  name: 'MsTeamsChannel'", "  name: 'DirectLineChannel'"),
    (BOT, "isEnabled: true", "isEnabled: false"),
    (MAIN, "endpoint: '${address}/api/messages'", "endpoint: address"),
    (BOT, "kind: 'azurebot'", "kind: 'bot'"),
)
def the_bot_is_in_teams_and_leads_to_the_app(deployment: Deployment) -> None:
    bot = deployment.resource("Microsoft.BotService/botServices")
    channel = deployment.resource("Microsoft.BotService/botServices/channels")
    assert (bot.at("kind"), bot.at("location")) == ("azurebot", "global")
    assert channel.at("name") == channel.at("properties.channelName") == "MsTeamsChannel"
    assert channel.at("properties.properties.isEnabled") is True
    assert deployment.modules()["bot"].at("params.endpoint") == "${address}/api/messages"


# Secrets


@rule(
    (MAIN, "if (needsVault) {", "if (true) {"),
    (MAIN, "var needsVault = !empty(fromVault)", "var needsVault = true"),
    (MAIN, "ownBot ? [] : ['MicrosoftAppPassword']", "['MicrosoftAppPassword']"),
    (MAIN, "param settingsFromVault array = []", "param settingsFromVault array = ['PROACTIVE_BOTS']"),
)
def there_is_a_vault_only_for_secrets_that_were_asked_for(deployment: Deployment) -> None:
    assert deployment.modules()["vault"].condition == "needsVault"
    assert deployment.default("settingsFromVault") == []
    needs = deployment.variable(MAIN, "needsVault")
    assert isinstance(needs, dict)
    assert needs["operator"]["type"] == "not"
    added = deployment.variable(MAIN, "fromVault")["function"]["parameters"]["arg_2"]
    assert by_condition(added, "ownBot") == ([], ["MicrosoftAppPassword"])


@rule(
    (VAULT, "enableRbacAuthorization: true", "enableRbacAuthorization: false"),
    (VAULT, "enablePurgeProtection: true", ""),
    (VAULT, "enableSoftDelete: true", "enableSoftDelete: false"),
)
def the_vault_goes_by_roles_and_loses_nothing(deployment: Deployment) -> None:
    vault = deployment.resource("Microsoft.KeyVault/vaults")
    for name in ("enableRbacAuthorization", "enablePurgeProtection", "enableSoftDelete"):
        assert vault.at(f"properties.{name}") is True


@rule(
    (FUNCTIONS, "'@Microsoft.KeyVault(SecretUri=", "'(SecretUri="),
    (FUNCTIONS, "givenSettings, vaultSettings)", "givenSettings)"),
    (FUNCTIONS, "givenSettings, vaultSettings)", "vaultSettings, givenSettings)"),
)
def secrets_reach_the_app_as_references_to_the_vault(deployment: Deployment) -> None:
    values = [word for word in words(deployment.variable(FUNCTIONS, "vaultSettings")) if isinstance(word, str)]
    assert any(word.startswith("@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/") for word in values)
    config = next(
        each for each in deployment.resources("Microsoft.Web/sites/config") if each.at("name") == "appsettings"
    )
    # The last one wins: a value from the vault is never replaced by one that is given.
    assert list(config.at("properties.function.parameters").values())[-1] == "vaultSettings"


@rule(
    (MAIN, "param botAppId string = ''", "param botPassword string = ''"),
    (MAIN, "param botAppId string", "@secure()\nparam botAppId string"),
    (BOT, "param endpoint string", "@secure()\nparam endpoint string"),
    (MAIN, "  PROACTIVE_CLOUD: cloud\n", "  PROACTIVE_CLOUD: cloud\n  PROACTIVE_CALLBACK_SECRET: publicUrl\n"),
)
def no_secret_passes_through_the_deployment(deployment: Deployment) -> None:
    for file, parsed in deployment.trees.items():
        for name, parameter in parsed["parameters"].items():
            assert not SECRET.search(name), f"{file}: {name}"
            assert "secure" not in {each["type"] for each in parameter["decorators"]}, f"{file}: {name}"
    assert not deployment.settings_from_vault() & set(deployment.settings()) - {"PROACTIVE_UPSTREAM_BOT"}


@rule(
    (STORAGE, "output id string = account.id", "output id string = account.listKeys().keys[0].value"),
    (FUNCTIONS, "'ClientId=${identityClientId};", "'ClientId=${listKeys(plan.id, '2024-04-01').x};"),
)
def no_key_is_ever_asked_for(deployment: Deployment) -> None:
    for file, text in deployment.texts.items():
        assert not re.search(r"\b(list[A-Z]\w*|getSecret)\(", text), file


@rule(
    (MAIN, "output STORAGE_NAME string = storage.outputs.name", "output STORAGE_KEY string = storage.outputs.name"),
    (MONITORING, "output insightsName string = insights.name", "output x string = insights.ConnectionString"),
    (MONITORING, "output insightsName string = insights.name", "output x string = insights.InstrumentationKey"),
    (FUNCTIONS, "output name string = app.name", "output x object = vaultSettings"),
    (FUNCTIONS, "output name string = app.name", "output x object = platformSettings"),
)
def no_output_holds_a_secret(deployment: Deployment) -> None:
    for file, parsed in deployment.trees.items():
        for name, output in parsed.get("outputs", {}).items():
            told = {name, *(word for word in words(output["value"]) if isinstance(word, str))}
            assert not {word for word in told if SECRET.search(word)}, f"{file}: {name}"
            assert not {word for word in told if word.endswith("Settings")}, f"{file}: {name}"
            assert output["type"] == "string", f"{file}: {name}"


# Doors


@rule(
    (SIGN_IN, "'/api/outcomes', ", ""),
    (SIGN_IN, "'/api/ui'", "'/api/ops'"),
    (SIGN_IN, "excludedPaths: concat(open, map(open, path => '${path}/*'))", "excludedPaths: open"),
    (SIGN_IN, "excludedPaths: concat(open, map(open, path => '${path}/*'))", ""),
    (SIGN_IN, "doors == 'ops' ? ['/api/v1'] : []", "['/api/v1', '/api/ops']"),
)
def sign_in_leaves_open_what_asks_for_no_key(deployment: Deployment) -> None:
    keyless = {f"/api/{door}" for door in re.findall(r'@app\.route\("(\w+).*AuthLevel\.ANONYMOUS', APP)}
    assert set(deployment.variable(SIGN_IN, "openDoors")) == keyless
    flows = deployment.variable(SIGN_IN, "flowDoors")
    assert "/api/v1" in set(words(flows))
    assert "/api/ops" not in set(words(flows))
    parameters = deployment.variable(SIGN_IN, "open")["function"]["parameters"]
    assert list(parameters.values()) == ["openDoors", "flowDoors"]
    settings = next(
        each for each in deployment.resources("Microsoft.Web/sites/config") if each.at("name") == "authsettingsV2"
    )
    excluded = settings.at("properties.globalValidation.excludedPaths")
    assert {"open", "${path}/*"} <= set(words(excluded))


@rule(
    (SIGN_IN, "requireAuthentication: true", "requireAuthentication: false"),
    (SIGN_IN, "unauthenticatedClientAction: 'Return401'", "unauthenticatedClientAction: 'AllowAnonymous'"),
    (SIGN_IN, "${tenant().tenantId}/v2.0", "common/v2.0"),
    (SIGN_IN, "allowedAudiences: [clientId, 'api://${clientId}']", ""),
    (MAIN, "param signIn string = 'off'", "param signIn string = 'api'"),
    (MAIN, "if (signIn != 'off') {", "if (true) {"),
)
def sign_in_lets_in_this_organisation_only(deployment: Deployment) -> None:
    assert deployment.default("signIn") == "off"
    assert deployment.modules()["door"].condition not in (None, True)
    settings = next(
        each for each in deployment.resources("Microsoft.Web/sites/config") if each.at("name") == "authsettingsV2"
    )
    assert settings.at("properties.globalValidation.requireAuthentication") is True
    assert settings.at("properties.globalValidation.unauthenticatedClientAction") == "Return401"
    entra = settings.at("properties.identityProviders.azureActiveDirectory")
    assert "tenant().tenantId" in entra["registration"]["openIdIssuer"]
    assert entra["validation"].get("allowedAudiences") == ["clientId", "api://${clientId}"]


@rule(
    (MAIN, "if (privateNetwork) {", "if (true) {"),
    (MAIN, "param privateNetwork bool = false", "param privateNetwork bool = true"),
    (NETWORK, "['blob', 'queue', 'table']", "['blob', 'queue']"),
    (NETWORK, "serviceName: 'Microsoft.App/environments'", "serviceName: 'Microsoft.Web/serverFarms'"),
    (STORAGE, "publicNetworkAccess: closed ? 'Disabled' : 'Enabled'", "publicNetworkAccess: 'Enabled'"),
    (STORAGE, "defaultAction: closed ? 'Deny' : 'Allow'", "defaultAction: 'Allow'"),
    (VAULT, "publicNetworkAccess: closed ? 'Disabled' : 'Enabled'", "publicNetworkAccess: 'Enabled'"),
    (FUNCTIONS, "virtualNetworkSubnetId: empty(subnetId) ? null : subnetId", ""),
    (MAIN, "    sku: storageSku\n    closed: privateNetwork", "    sku: storageSku\n    closed: false"),
)
def a_private_network_closes_storage_and_vault_to_all_others(deployment: Deployment) -> None:
    modules = deployment.modules()
    assert deployment.default("privateNetwork") is False
    assert modules["network"].condition == "privateNetwork"
    for name in ("storage", "vault"):
        assert modules[name].at("params.closed") == "privateNetwork"
    for type_ in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"):
        found = deployment.resource(type_)
        access, action = (
            found.at(f"properties.{path}") for path in ("publicNetworkAccess", "networkAcls.defaultAction")
        )
        assert by_condition(access, "closed") == ("Disabled", "Enabled")
        assert by_condition(action, "closed") == ("Deny", "Allow")
    zones = deployment.variable(NETWORK, "storageZones")["function"]["parameters"]["arg_1"]
    assert zones == ["blob", "queue", "table"]
    assert "Microsoft.App/environments" in set(words(deployment.resource("Microsoft.Network/virtualNetworks").config))
    assert "subnetId" in set(words(deployment.resource("Microsoft.Web/sites").at("properties.virtualNetworkSubnetId")))


@rule((FUNCTIONS, "publicNetworkAccess: 'Enabled'", "publicNetworkAccess: 'Disabled'"))
def teams_can_always_reach_the_app(deployment: Deployment) -> None:
    assert deployment.resource("Microsoft.Web/sites").at("properties.publicNetworkAccess") == "Enabled"


# Graph


@rule(
    (MAIN, "param graph string = 'off'", "param graph string = 'identity'"),
    (MAIN, "graphAsIdentity ? graphIdentity!.outputs.clientId", "graphAsIdentity ? identity.outputs.clientId"),
    (MAIN, "    graphIdentityId: graphAsIdentity ? graphIdentity!.outputs.id : ''", "    graphIdentityId: ''"),
)
def graph_is_asked_as_somebody_else_than_the_bot(deployment: Deployment) -> None:
    assert deployment.default("graph") == "off"
    asked = by_condition(deployment.settings()["PROACTIVE_GRAPH_CLIENT_ID"], "graphAsIdentity")[0]
    assert {"graphIdentity", "clientId"} <= set(words(asked))
    joined = by_condition(deployment.modules()["functions"].at("params.graphIdentityId"), "graphAsIdentity")[0]
    assert "graphIdentity" in set(words(joined))


# Everything


@rule(
    (STORAGE, "  location: location\n  tags: tags\n", "  location: location\n"),
    (BOT, "  tags: tags\n", ""),
    (FUNCTIONS, "{ 'azd-service-name': 'app' }", "{}"),
    (MAIN, "{ 'azd-env-name': environmentName }", "{}"),
)
def whatever_can_have_tags_has_them(deployment: Deployment) -> None:
    without = re.compile(
        r"Services/(queues|tables|containers)$|/(blob|queue|table)Services$|/config$|Policies$|roleAssignments$|"
        r"botServices/channels$|privateDnsZoneGroups$"
    )
    for each in deployment.resources():
        assert without.search(each.type) or each.at("tags"), f"{each.file}: {each.name}"
    assert "'azd-service-name'" in set(words(deployment.resource("Microsoft.Web/sites").at("tags")))
    assert "'azd-env-name'" in set(words(deployment.variable(MAIN, "allTags")))


@rule(
    (MAIN, "@description('The name that people see in Teams.')\n", ""),
    (MAIN, "@maxValue(3650)\n", ""),
    (NETWORK, "@description('Azure region.')\n", ""),
)
def every_parameter_is_described_and_numbers_have_limits(deployment: Deployment) -> None:
    for file, parsed in deployment.trees.items():
        for name, parameter in parsed["parameters"].items():
            decorators = {each["type"] for each in parameter["decorators"]}
            assert "description" in decorators, f"{file}: {name}"
            if parameter["type"] == "int":
                assert "allowed" in decorators or {"min_value", "max_value"} <= decorators, f"{file}: {name}"


@rule((BOT, "botServices/channels@2022-09-15", "botServices/channels@2023-09-15-preview"))
def no_preview_of_an_api_is_used(deployment: Deployment) -> None:
    for each in deployment.resources() + deployment.resources(existing=True):
        line = rf"'{re.escape(each.type)}@\d{{4}}-\d\d-\d\d'"
        assert re.search(line, deployment.texts[each.file]), f"{each.file}: {each.name}"
    assert "-preview'" not in "".join(deployment.texts.values())


@rule(
    (MAIN, "    packageName: storage.outputs.packageName\n", ""),
    (MAIN, "    packageName: storage.outputs.packageName\n", "    packageNames: storage.outputs.packageName\n"),
    (MAIN, "storage.outputs.packageName", "storage.outputs.package"),
    (MAIN, "param cloud string =", "param teamsCloud string ="),
    (STORAGE, "sku: {\n    name: sku", "sku: {\n    name: skew"),
)
def every_name_is_declared_and_every_module_gets_what_it_asks_for(deployment: Deployment) -> None:
    from tests.infra.names import undeclared

    modules = deployment.modules()
    for name, module in modules.items():
        asked = deployment.trees[module.type]["parameters"]
        given = set(module.at("params"))
        assert given <= set(asked), f"{name}: {given - set(asked)}"
        needed = {each for each, parameter in asked.items() if parameter["default"] is None}
        assert needed <= given, f"{name}: {needed - given}"
    for name, output in re.findall(r"\b(\w+)!?\.outputs\.(\w+)", deployment.texts[MAIN]):
        assert output in deployment.trees[modules[name].type]["outputs"], f"{name}.outputs.{output}"
    for file, text in deployment.texts.items():
        assert not undeclared(text), file


test_the_deployment_keeps_the_rule, test_a_change_that_breaks_the_rule_is_found = RULES.tests()


def test_every_rule_has_a_change_that_breaks_it() -> None:
    assert [each.name for each in RULES if not each.breaks] == []
