#!/usr/bin/env bash
# Grants the app's identity in Microsoft Graph what the named capabilities need, and nothing else. docs/graph.md has the table.
#
#   azd env get-values > deployed.env && infra/grant-graph-permissions.sh deployed.env people groups install
#
# Instead of the file: --app <client id> (GRAPH=app), or --principal <object id of the service principal>.
# --dry-run tells what it would grant. What is granted already stays; what is granted besides is told, not taken away.
# It needs the Azure CLI, signed in as a Privileged Role Administrator or Global Administrator.
set -euo pipefail

GRAPH_APP_ID=00000003-0000-0000-c000-000000000000 # Microsoft Graph itself, in every cloud
usage='usage: grant-graph-permissions.sh <deployed.env> | --app <client id> | --principal <object id>  [--dry-run]  people|groups|install …'

stop() { printf '%s\n' "$*" >&2; exit 1; }
want() { case " $wanted " in *" $1 "*) ;; *) wanted="$wanted $1" ;; esac; }
output() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$2"; }

wanted='' principal='' app='' file='' dry=''
while (($#)); do
  case $1 in
    people) want User.Read.All ;;
    groups) want GroupMember.Read.All; want User.Read.All ;;
    install) want TeamsAppInstallation.ReadWriteSelfForUser.All ;;
    --dry-run) dry=yes ;;
    --app) app=${2:?$usage}; shift ;;
    --principal) principal=${2:?$usage}; shift ;;
    -*) stop "$1 is unknown; $usage" ;;
    *) [[ -f $1 ]] || stop "$1 is neither a capability nor a file; $usage"; file=$1 ;;
  esac
  shift
done
[[ -n $wanted ]] || stop "$usage"
if [[ -n $file && -z $app$principal ]]; then
  principal=$(output GRAPH_PRINCIPAL_ID "$file")
  [[ -n $principal ]] || app=$(output GRAPH_CLIENT_ID "$file")
  [[ -n $principal$app ]] || stop "$file names nobody whom Graph knows: set GRAPH to identity or app, and run azd provision"
fi
[[ -n $principal$app ]] || stop "$usage"
for id in $principal $app; do
  [[ $id =~ ^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$ ]] || stop "$id is no GUID"
done

graph=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
graph=${graph%/}/v1.0/servicePrincipals
get() { az rest --method get --url "$graph$1" --query "$2" --output tsv; }

[[ -n $principal ]] || principal=$(get "(appId='$app')?\$select=id" id)
resource=$(get "(appId='$GRAPH_APP_ID')?\$select=id" id)
# Lines of a permission and its id: the ids are Microsoft's to tell, so none is written down here.
roles=$(get "(appId='$GRAPH_APP_ID')?\$select=appRoles" "appRoles[?contains(allowedMemberTypes, 'Application')].[value, id]")
assigned=$(get "/$principal/appRoleAssignments" 'value[].[resourceId, appRoleId]')
has() { awk -v resource="$resource" -v role="$1" '$1 == resource && $2 == role { found = 1 } END { exit !found }' <<< "$assigned"; }

# All are looked up before the first is granted.
for name in $wanted; do
  role=$(awk -v name="$name" '$1 == name { print $2 }' <<< "$roles")
  [[ -n $role ]] || stop "Microsoft Graph has no application permission $name here"
done
for name in $wanted; do
  role=$(awk -v name="$name" '$1 == name { print $2 }' <<< "$roles")
  if has "$role"; then
    printf 'there     %s\n' "$name"
  elif [[ -n $dry ]]; then
    printf 'missing   %s\n' "$name"
  else
    az rest --method post --url "$graph/$principal/appRoleAssignments" --headers Content-Type=application/json --output none \
      --body "{\"principalId\": \"$principal\", \"resourceId\": \"$resource\", \"appRoleId\": \"$role\"}"
    printf 'granted   %s\n' "$name"
  fi
done
while read -r name role; do
  case " $wanted " in *" $name "*) continue ;; esac
  if has "$role"; then printf 'besides   %s: not needed for what was named\n' "$name"; fi
done <<< "$roles"
