"""The AI API over HTTP: one module per resource, each with a `router`."""
