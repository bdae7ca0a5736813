"""A small interpreter of flows: the action kinds of `docs/flows/`, done as Power Automate and Logic Apps do them.

Actions that call our service really call it. Actions of other connectors are answered from `others`, by operation id.
What nobody waits for in a test, waiting, takes a moment instead of its time.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from local import connector
from tests.e2e.flow import Flows
from tests.flows.expressions import Functions, value
from tests.stack import Reply, Stack

SUCCEEDED, FAILED, SKIPPED, TIMED_OUT = "Succeeded", "Failed", "Skipped", "TimedOut"
DOCUMENT = connector.document()
OURS = "shared_proactivemessages"
_MOMENT = 0.3  # seconds for what would take minutes
_RETRIED = (408, 429, 500, 502, 503, 504)
_BRANCHES = ("If", "Switch", "Foreach", "Until", "Scope")


class StoppedError(Exception):
    """The flow has ended itself."""


class RefusedError(Exception):
    """An action that cannot be carried out as it stands in the definition."""


@dataclass
class Done:
    """What became of an action."""

    status: str
    outputs: Any = None
    detail: str = ""


@dataclass
class Run:
    """One run of a flow. `actions` are those that ran last under their names; `items` what loops are at."""

    definition: Mapping[str, Any]
    stack: Stack
    flows: Flows
    trigger: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1
    actions: dict[str, Done] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)
    stopped: str = ""
    at_once: int = 0
    most_at_once: int = 0

    async def run(self) -> str:
        """Carry the flow out and return how it ended."""
        try:
            return await self._together(self.definition["actions"], {})
        except ExceptionGroup as group:
            ends, errors = group.split(StoppedError)
            if ends is None or errors:
                raise
            return self.stopped

    def output(self, name: str) -> Any:
        """Return what an action gave."""
        return self.actions[name].outputs

    # Many actions

    async def _together(self, actions: Mapping[str, Any], scope: Functions) -> str:
        """Carry out actions, each after those that it runs after, and return how the whole ended.

        The last actions decide. One that was skipped stands for those before it: a failure that another branch looks
        after still makes the run a failed one.
        """
        done: dict[str, asyncio.Future[Done]] = {name: asyncio.get_running_loop().create_future() for name in actions}

        async def one(name: str, action: Mapping[str, Any]) -> None:
            ended = {before: await done[before] for before in action.get("runAfter", {})}
            runs = all(ended[before].status in wanted for before, wanted in action.get("runAfter", {}).items())
            result = await self._one(name, action, scope) if runs else Done(SKIPPED)
            done[name].set_result(result)

        async with asyncio.TaskGroup() as group:
            for name, action in actions.items():
                group.create_task(one(name, action))
        statuses = {name: future.result().status for name, future in done.items()}
        followed = {before for action in actions.values() for before in action.get("runAfter", {})}

        def fine(name: str) -> bool:
            if statuses[name] == SKIPPED:
                return all(fine(before) for before in actions[name].get("runAfter", {}))
            return statuses[name] == SUCCEEDED

        return SUCCEEDED if all(fine(name) for name in actions if name not in followed) else FAILED

    async def _one(self, name: str, action: Mapping[str, Any], scope: Functions) -> Done:
        kind = action["type"]
        doer: Callable[..., Awaitable[Done]] | None = getattr(self, f"_{kind.lower()}", None)
        if doer is None:
            raise RefusedError(f"{name}: actions of type {kind} are not known here")
        result = await doer(action, self._functions(scope))
        self.actions[name] = result
        if kind not in _BRANCHES:
            own = scope.get("~done")
            if own:
                own(name, result)
        return result

    def _functions(self, scope: Functions) -> dict[str, Any]:
        """Return the functions that know this run. Inside a loop its own round's actions come first."""

        def found(name: str) -> Done:
            here = scope.get("~here")
            result = (here(name) if here else None) or self.actions.get(name)
            if result is None:
                raise RefusedError(f"there is no action {name} that has run")
            return result

        def body(name: str) -> Any:
            outputs = found(name).outputs
            return outputs.get("body") if isinstance(outputs, dict) and "statusCode" in outputs else outputs

        return {
            **scope,
            "body": body,
            "outputs": lambda name: found(name).outputs,
            "triggerBody": lambda: self.trigger,
            "variables": lambda name: self.variables[name],
            "parameters": lambda name: self.parameters[name],
            "workflow": lambda: {"run": {"name": f"run-{self.number}"}},
        }

    # Kinds that branch

    async def _if(self, action: Mapping[str, Any], known: Functions) -> Done:
        holds = _condition(action["expression"], known)
        return await self._branch(action["actions"] if holds else action.get("else", {}).get("actions", {}), known)

    async def _switch(self, action: Mapping[str, Any], known: Functions) -> Done:
        found = value(action["expression"], known)
        cases = [case for case in action["cases"].values() if case["case"] == found]
        return await self._branch((cases[0] if cases else action.get("default", {})).get("actions", {}), known)

    async def _scope(self, action: Mapping[str, Any], known: Functions) -> Done:
        return await self._branch(action["actions"], known)

    async def _branch(self, actions: Mapping[str, Any], known: Functions) -> Done:
        return Done(await self._together(actions, known))

    async def _foreach(self, action: Mapping[str, Any], known: Functions) -> Done:
        most = action.get("runtimeConfiguration", {}).get("concurrency", {}).get("repetitions", 20)
        assert 1 <= most <= 50, "that many rounds at a time are not possible"
        room = asyncio.Semaphore(most)

        async def round_of(item: Any) -> str:
            own: dict[str, Done] = {}
            here = {**known, "item": lambda: item, "items": lambda _: item, "~here": own.get, "~done": own.__setitem__}
            async with room:
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    return await self._together(action["actions"], here)
                finally:
                    self.at_once -= 1

        ended = await asyncio.gather(*(round_of(item) for item in value(action["foreach"], known)))
        return Done(SUCCEEDED if all(one == SUCCEEDED for one in ended) else FAILED)

    async def _until(self, action: Mapping[str, Any], known: Functions) -> Done:
        for _ in range(action["limit"]["count"]):
            if await self._together(action["actions"], known) != SUCCEEDED:
                return Done(FAILED)
            if value(action["expression"], known):
                break
        return Done(SUCCEEDED)

    # Kinds that work with values

    async def _compose(self, action: Mapping[str, Any], known: Functions) -> Done:
        return Done(SUCCEEDED, value(action["inputs"], known))

    async def _select(self, action: Mapping[str, Any], known: Functions) -> Done:
        given = action["inputs"]
        items = value(given["from"], known)
        return Done(SUCCEEDED, [value(given["select"], {**known, "item": lambda one=one: one}) for one in items])

    async def _initializevariable(self, action: Mapping[str, Any], known: Functions) -> Done:
        for variable in action["inputs"]["variables"]:
            self.variables[variable["name"]] = value(variable.get("value"), known)
        return Done(SUCCEEDED)

    async def _setvariable(self, action: Mapping[str, Any], known: Functions) -> Done:
        self._known(action)
        self.variables[action["inputs"]["name"]] = value(action["inputs"]["value"], known)
        return Done(SUCCEEDED)

    async def _appendtoarrayvariable(self, action: Mapping[str, Any], known: Functions) -> Done:
        self._known(action)
        self.variables[action["inputs"]["name"]].append(value(action["inputs"]["value"], known))
        return Done(SUCCEEDED)

    def _known(self, action: Mapping[str, Any]) -> None:
        if action["inputs"]["name"] not in self.variables:
            raise RefusedError(f"the variable {action['inputs']['name']} is not initialized")

    async def _wait(self, action: Mapping[str, Any], known: Functions) -> Done:
        interval = action["inputs"]["interval"]
        assert interval["unit"] in ("Second", "Minute", "Hour", "Day")
        assert value(interval["count"], known) > 0
        await asyncio.sleep(_MOMENT)
        return Done(SUCCEEDED)

    async def _terminate(self, action: Mapping[str, Any], known: Functions) -> Done:
        self.stopped = value(action["inputs"]["runStatus"], known)
        raise StoppedError

    # Kinds that call

    async def _http(self, action: Mapping[str, Any], known: Functions) -> Done:
        return await self._call(value(action["inputs"], known))

    async def _openapiconnection(self, action: Mapping[str, Any], known: Functions) -> Done:
        inputs = value(action["inputs"], known)
        host = inputs["host"]
        if host["connectionName"] != OURS:
            answer = self.others[host["operationId"]]
            return Done(SUCCEEDED, {"statusCode": 200, "body": answer(inputs) if callable(answer) else answer})
        return await self._call(self._request(host["operationId"], inputs["parameters"]))

    async def _openapiconnectionwebhook(self, action: Mapping[str, Any], known: Functions) -> Done:
        inputs = value(action["inputs"], known)
        callback = self.flows.run()
        operation = inputs["host"]["operationId"]
        request = self._request(operation, inputs["parameters"], callback.url)
        subscribed = await self._send(request)
        if not 200 <= subscribed.status < 300:
            return Done(FAILED, _outputs(subscribed))
        location = subscribed.headers["Location"]
        assert _matches("UnsubscribeFromResponse", "delete", location)

        async def unsubscribe() -> None:
            assert (await self.stack.request("DELETE", location)).status == 204

        content = DOCUMENT["paths"][_operation(operation)[1]]["x-ms-notification-content"]
        return await self._called_back(callback, unsubscribe, content["schema"])

    async def _httpwebhook(self, action: Mapping[str, Any], known: Functions) -> Done:
        callback = self.flows.run()
        inputs = value(action["inputs"], {**known, "listCallbackUrl": lambda: callback.url})
        subscribed = await self._send(inputs["subscribe"])
        if not 200 <= subscribed.status < 300:
            return Done(FAILED, _outputs(subscribed))

        async def unsubscribe() -> None:
            assert (await self._send(inputs["unsubscribe"])).status == 204

        return await self._called_back(callback, unsubscribe, {})

    async def _called_back(self, callback: Any, unsubscribe: Callable[[], Awaitable[None]], schema: Any) -> Done:
        """Wait for the first call, which ends the action, and unsubscribe whatever happens."""
        try:
            first, *_ = await callback.called(1, 40)
        finally:
            await unsubscribe()
        body = json.loads(first.raw)
        _check(schema, body)
        return Done(SUCCEEDED, {"statusCode": 200, "body": body})

    async def _call(self, request: Mapping[str, Any]) -> Done:
        """Make a call by the long-running-operation pattern: 202 is asked after until it is something else."""
        reply = await self._send(request)
        while reply.status == 202 and "Location" in reply.headers:
            assert int(reply.headers["Retry-After"]) > 0
            await asyncio.sleep(_MOMENT)
            # Power Automate repeats neither headers nor key here.
            reply = await self._retried("GET", reply.headers["Location"])
        return Done(SUCCEEDED if 200 <= reply.status < 300 else FAILED, _outputs(reply))

    async def _send(self, request: Mapping[str, Any]) -> Reply:
        reply = await self._retried(
            request["method"],
            request["uri"],
            json_body=request.get("body", ...),
            headers={name: str(text) for name, text in request.get("headers", {}).items()},
            params={name: str(text) for name, text in request.get("queries", {}).items()},
        )
        self.calls.append((request["uri"], reply.status))
        return reply

    async def _retried(self, method: str, uri: str, **more: Any) -> Reply:
        for _ in range(3):
            reply = await self.stack.request(method, uri, **more)
            if reply.status not in _RETRIED:
                break
            await asyncio.sleep(_MOMENT)
        return reply

    def _request(self, operation: str, parameters: Mapping[str, Any], callback: str = "") -> dict[str, Any]:
        """Return the call that the Swagger file makes of an action's parameters, which it must know and allow."""
        method, path, told = _operation(operation)
        given = dict(parameters)
        request: dict[str, Any] = {"method": method.upper(), "headers": {}, "queries": {}}
        for parameter in told["parameters"]:
            name = parameter["name"]
            if parameter["in"] == "body":
                body = _nested({key: given.pop(key) for key in list(given) if key.startswith(f"{name}/")}, name)
                if callback:
                    body["notificationUrl"] = callback
                _check(parameter["schema"], body)
                request["body"] = body
            elif name in given:
                place = {"header": "headers", "query": "queries"}.get(parameter["in"])
                if place:
                    request[place][name] = given.pop(name)
                else:
                    path = path.replace(f"{{{name}}}", str(given.pop(name)))
            elif parameter.get("required"):
                raise RefusedError(f"{operation} needs {name}")
        if given:
            raise RefusedError(f"{operation} has no {', '.join(given)}")
        return {**request, "uri": self.stack.url + path}


def _operation(name: str) -> tuple[str, str, Any]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            if not method.startswith("x-") and operation["operationId"] == name:
                return method, path, operation
    raise RefusedError(f"the connector has no action {name}")


def _matches(operation: str, method: str, url: str) -> bool:
    """Whether an address is that of an operation: Power Platform finds it by its path."""
    told, path, _ = _operation(operation)
    return told == method and bool(re.search(re.sub(r"{\w+}", r"[^/]+", path) + "$", url))


def _nested(flat: Mapping[str, Any], name: str) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, inner in flat.items():
        *path, last = key.removeprefix(f"{name}/").split("/")
        place = body
        for part in path:
            place = place.setdefault(part, {})
        place[last] = inner
    return body


def _check(schema: Any, body: Any) -> None:
    """Fail where a value is not what the Swagger file says: the platform converts nothing to what it is not."""
    whole = json.loads(json.dumps({**schema, "definitions": DOCUMENT["definitions"]}), object_hook=_with_null)
    errors = [str(error)[:300] for error in jsonschema_rs.Draft4Validator(whole).iter_errors(body)]
    if errors:
        raise RefusedError("; ".join(errors))


def _with_null(node: dict[str, Any]) -> Any:
    return {"anyOf": [node, {"type": "null"}]} if node.pop("x-nullable", None) is True else node


def _condition(expression: Mapping[str, Any] | str, known: Functions) -> bool:
    """Work out a condition as the designer writes it."""
    if isinstance(expression, str):
        return bool(value(expression, known))
    ((name, operands),) = expression.items()
    if name in ("and", "or"):
        held = [_condition(operand, known) for operand in operands]
        return all(held) if name == "and" else any(held)
    if name == "not":
        return not _condition(operands, known)
    left, right = (value(operand, known) for operand in operands)
    return bool({"equals": left == right}[name])


def _outputs(reply: Reply) -> dict[str, Any]:
    body: Any = reply.text
    if reply.text and "json" in reply.headers.get("Content-Type", ""):
        body = reply.body
    return {"statusCode": reply.status, "headers": dict(reply.headers), "body": body}
