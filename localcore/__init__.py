"""An AI-Core-compatible server for one machine."""
