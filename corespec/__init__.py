"""The command line: one file per verb, and the place where the rooms are put together."""
