"""Engines run executions. `process` runs each container's command as processes of this machine."""
