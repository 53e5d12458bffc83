"""The subset of Argo Workflows that runs here: parse, resolve, plan (all pure), walk (the running)."""
