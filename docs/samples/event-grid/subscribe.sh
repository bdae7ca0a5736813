#!/usr/bin/env bash
# Have Event Grid drop the events of a custom topic on the queue: the data of each event is a send.
# GROUP, LOCATION, TOPIC and ACCOUNT name the resource group, its region, the topic and the storage account.
set -euo pipefail

account=$(az storage account show --resource-group "$GROUP" --name "$ACCOUNT" --query id --output tsv)
queue="$account/queueServices/default/queues/sends"

# The topic delivers under an identity of its own, which may write to this one queue.
topic=$(az eventgrid topic create --resource-group "$GROUP" --name "$TOPIC" --location "$LOCATION" \
  --input-schema cloudeventschemav1_0 --identity systemassigned --query id --output tsv)
principal=$(az eventgrid topic show --resource-group "$GROUP" --name "$TOPIC" --query identity.principalId --output tsv)
az role assignment create --assignee-object-id "$principal" --assignee-principal-type ServicePrincipal \
  --role "Storage Queue Data Message Sender" --scope "$queue" --output none

# -1: a message never expires.
az eventgrid event-subscription create --name proactive --source-resource-id "$topic" \
  --delivery-identity systemassigned --delivery-identity-endpoint-type storagequeue \
  --delivery-identity-endpoint "$queue" --event-delivery-schema cloudeventschemav1_0 \
  --included-event-types com.contoso.message.wanted --storage-queue-msg-ttl -1 --output none
