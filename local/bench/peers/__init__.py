"""The peers: what else sends to Teams from Python, each as a bare loop in a process and an environment of its own."""
