"""A local Azure Functions host: the host's half is here, the worker's half is Microsoft's own library.

`worker` loads `function_app.py` and invokes its functions, `http` and `queues` turn requests and queue messages
into invocations, `host_json` reads how, and `runner` brings them up and down together.
"""
