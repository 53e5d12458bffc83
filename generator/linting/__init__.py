"""The rules for WorkflowTemplates, by what they look at. `generator.lint` runs them all."""
