"""What we compare with. Each peer runs in a process of its own and may be missing."""
