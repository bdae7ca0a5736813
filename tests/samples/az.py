"""A stand-in for the Azure CLI: takes exactly the commands that the samples use, as Microsoft documents them.

What it makes is kept in the directory AZ_STATE. Storage is the account AZ_STORAGE, Event Grid what AZ_EVENT_GRID is.
"""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from azure.storage.queue import QueueClient

STATE = Path(os.environ["AZ_STATE"])
COMMON = {"--output", "--query"}
CHOICES = {
    "--output": {"json", "tsv", "none"},
    "--auth-mode": {"login", "key"},
    "--input-schema": {"eventgridschema", "customeventschema", "cloudeventschemav1_0"},
    "--event-delivery-schema": {"eventgridschema", "custominputschema", "cloudeventschemav1_0"},
    "--delivery-identity": {"systemassigned"},
    "--identity": {"noidentity", "systemassigned"},
    "--delivery-identity-endpoint-type": {
        "azurefunction", "eventhub", "hybridconnection", "servicebusqueue", "servicebustopic", "storagequeue",
        "webhook",
    },
    "--assignee-principal-type": {"ForeignGroup", "Group", "ServicePrincipal", "User"},
}  # fmt: skip
# Command → the options it must have, and those that it may have.
COMMANDS = {
    "storage account show": ({"--name", "--resource-group"}, set()),
    "storage message put": (
        {"--content", "--queue-name"},
        {"--account-name", "--auth-mode", "--time-to-live", "--visibility-timeout", "--connection-string", "--timeout"},
    ),
    "eventgrid topic create": (
        {"--name", "--resource-group", "--location"},
        {"--input-schema", "--identity", "--tags", "--sku"},
    ),
    "eventgrid topic show": ({"--name", "--resource-group"}, set()),
    "eventgrid topic key list": ({"--name", "--resource-group"}, set()),
    "role assignment create": (
        {"--role", "--scope"},
        {"--assignee", "--assignee-object-id", "--assignee-principal-type", "--description"},
    ),
    "eventgrid event-subscription create": (
        {"--name"},
        {"--source-resource-id", "--endpoint", "--endpoint-type", "--event-delivery-schema", "--included-event-types",
         "--storage-queue-msg-ttl", "--delivery-identity", "--delivery-identity-endpoint",
         "--delivery-identity-endpoint-type"},
    ),
}  # fmt: skip


def fail(sentence: str) -> NoReturn:
    print(f"ERROR: {sentence}", file=sys.stderr)
    sys.exit(2)


def read(arguments: list[str]) -> tuple[str, dict[str, str]]:
    words = [argument for argument in arguments if not argument.startswith("-")]
    command = next((name for name in COMMANDS if words[: len(name.split())] == name.split()), None)
    if command is None:
        fail(f"no such command: {arguments}")
    must, may = COMMANDS[command]
    rest = arguments[len(command.split()) :]
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    if wrong := options.keys() - must - may - COMMON:
        fail(f"unrecognized arguments: {wrong}")
    if missing := must - options.keys():
        fail(f"the following arguments are required: {missing}")
    for name, value in options.items():
        if name in CHOICES and value not in CHOICES[name]:
            fail(f"{name}: {value!r} is not one of {CHOICES[name]}")
    return command, options


def do(command: str, options: dict[str, str]) -> object:
    name = options.get("--name", "")
    if command == "storage message put":
        with QueueClient.from_connection_string(os.environ["AZ_STORAGE"], options["--queue-name"]) as queue:
            ttl = options.get("--time-to-live")
            return {"id": queue.send_message(options["--content"], time_to_live=int(ttl) if ttl else None).id}
    scope = f"/subscriptions/s/resourceGroups/{options.get('--resource-group')}/providers"
    if command == "storage account show":
        return {"id": f"{scope}/Microsoft.Storage/storageAccounts/{name}"}
    if command == "eventgrid topic key list":
        return {"key1": "a topic's key", "key2": "another"}
    if command == "eventgrid topic create":
        identity = {"principalId": "p1"} if options.get("--identity") == "systemassigned" else None
        made = {
            "id": f"{scope}/Microsoft.EventGrid/topics/{name}",
            "endpoint": os.environ["AZ_EVENT_GRID"],
            "identity": identity,
            "inputSchema": options.get("--input-schema", "eventgridschema"),
        }
        (STATE / f"topic-{name}.json").write_text(json.dumps(made))
        return made
    if command == "eventgrid topic show":
        return json.loads((STATE / f"topic-{name}.json").read_text())
    kind = command.split()[1]
    (STATE / f"{kind}.json").write_text(json.dumps(options))
    return {}


def main() -> None:
    command, options = read(sys.argv[1:])
    found = do(command, options)
    for part in options.get("--query", "").split("."):
        found = found[part] if part and isinstance(found, dict) else found
    if options.get("--output") == "tsv":
        print(found)
    elif options.get("--output") != "none":
        print(json.dumps(found))


main()
