"""The web page: sync status, executions, logs, metrics and charts."""
