"""The benchmark: this service and its peers in one run, printed as ratios and written to docs/performance.md."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which options `bench` has."""
    parser.add_argument("--short", action="store_true", help="smaller numbers: minutes instead of half an hour")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="CASE", help="only these cases; pages stay as they are"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, print the ratios, write results and pages; 0, also when a target is missed."""
    from local.bench.command import bench

    return bench(short=args.short, only=args.only)
