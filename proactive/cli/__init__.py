"""The command line: what senders and operators do over HTTP, from a terminal or a script. It is not deployed.

Only click is imported at once, so that `--help` comes quickly; everything else is imported where it is used.
"""
