"""Moving in: a `workflow_config` of the content packages, or a template that exists, becomes a spec."""

from generator.importing.model import Outcome, Row
from generator.importing.run import Imported, import_files, write_import

__all__ = ["Imported", "Outcome", "Row", "import_files", "write_import"]
