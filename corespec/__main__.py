"""``corespec``: the entry point of the command line."""
