"""`python -m proactive`: the command line."""

from proactive.cli.main import main

main()
