"""What changed in `rendered/`, by meaning: pure, from bytes to changes to text, JSON or Markdown."""

from generator.diff.model import Category, Change, FileDiff, Kind, TemplateDiff
from generator.diff.templates import diff_templates

__all__ = ["Category", "Change", "FileDiff", "Kind", "TemplateDiff", "diff_templates"]
