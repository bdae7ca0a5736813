#!/usr/bin/env bash
# Publish event.json on the topic that subscribe.sh made. GROUP and TOPIC name it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

endpoint=$(az eventgrid topic show --resource-group "$GROUP" --name "$TOPIC" --query endpoint --output tsv)
key=$(az eventgrid topic key list --resource-group "$GROUP" --name "$TOPIC" --query key1 --output tsv)
# The key goes in by a file descriptor, so that it stands in no list of processes.
curl --silent --show-error --fail "$endpoint" -H @<(printf 'aeg-sas-key: %s' "$key") \
  -H 'Content-Type: application/cloudevents+json; charset=utf-8' --data-binary "@$here/event.json"
