"""Everything that runs without the cloud: the Functions host, storage, stand-ins, demo and checks."""
