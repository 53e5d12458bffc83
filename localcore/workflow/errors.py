"""Why a workflow cannot run; the text becomes the execution's statusMessage."""

from __future__ import annotations


class WorkflowError(ValueError):
    """The template asks for something that is not there or not served here; terminal."""
