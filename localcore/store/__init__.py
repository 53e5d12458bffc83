"""What the server remembers: one SQLite file in WAL mode, one small module per kind of object."""
