"""Everything that runs without the cloud: `python -m local up`, `demo`, `check`, `bench`."""

import argparse
import importlib
import sys

COMMANDS = {
    "up": "run the service with storage and a Teams client, until Ctrl-C",
    "demo": "show the main job in one go",
    "check": "check the project: format, types, tests",
    "bench": "measure the service and its peers",
}


def main(arguments: list[str]) -> int:
    """Run the subcommand that the first argument names, and give its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        # Only the command that is asked for is imported: each of them is heavy.
        if arguments[:1] == [name]:
            module = importlib.import_module(f"local.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    parsed = parser.parse_args(arguments)
    return int(parsed.run(parsed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
