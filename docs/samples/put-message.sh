#!/usr/bin/env bash
# Put a send on the queue from a shell. Sign in first (az login), as somebody or something with the role
# Storage Queue Data Message Sender on this one queue. ACCOUNT is the name of the storage account.
set -euo pipefail

az storage message put --account-name "$ACCOUNT" --auth-mode login --queue-name sends --time-to-live -1 --output none \
  --content '{"id": "order-4715", "recipients": ["Alex Wilber"], "message": "Your order *4715* is ready"}'
