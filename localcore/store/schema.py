"""The tables. Lists are read newest first by `seq`; every filter of the API has an index that ends in it."""

from __future__ import annotations

_FIRST = """
CREATE TABLE resource_groups (
  id TEXT PRIMARY KEY, labels TEXT NOT NULL, created_at TEXT NOT NULL);

CREATE TABLE repositories (
  name TEXT PRIMARY KEY, id TEXT NOT NULL, url TEXT NOT NULL, username TEXT NOT NULL, password TEXT NOT NULL,
  created_at TEXT NOT NULL);

CREATE TABLE applications (
  name TEXT PRIMARY KEY, repository_url TEXT NOT NULL, path TEXT NOT NULL, revision TEXT NOT NULL,
  status TEXT NOT NULL, created_at TEXT NOT NULL);

CREATE TABLE executables (
  id TEXT PRIMARY KEY, application TEXT NOT NULL REFERENCES applications(name) ON DELETE CASCADE,
  scenario_id TEXT NOT NULL, version TEXT NOT NULL, document TEXT NOT NULL, template TEXT NOT NULL,
  digest TEXT NOT NULL, created_at TEXT NOT NULL, modified_at TEXT NOT NULL);
CREATE INDEX executables_scenario ON executables (scenario_id, version);
CREATE INDEX executables_application ON executables (application);

CREATE TABLE artifacts (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, resource_group TEXT NOT NULL, name TEXT NOT NULL,
  kind TEXT NOT NULL, url TEXT NOT NULL, scenario_id TEXT NOT NULL, description TEXT NOT NULL,
  labels TEXT NOT NULL, execution_id TEXT, configuration_id TEXT, created_at TEXT NOT NULL,
  modified_at TEXT NOT NULL);
CREATE INDEX artifacts_group ON artifacts (resource_group, seq);
CREATE INDEX artifacts_scenario ON artifacts (resource_group, scenario_id, seq);
CREATE INDEX artifacts_name ON artifacts (resource_group, name, seq);
CREATE UNIQUE INDEX artifacts_execution ON artifacts (execution_id, name) WHERE execution_id IS NOT NULL;

CREATE TABLE configurations (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, resource_group TEXT NOT NULL, name TEXT NOT NULL,
  scenario_id TEXT NOT NULL, executable_id TEXT NOT NULL, parameters TEXT NOT NULL, inputs TEXT NOT NULL,
  created_at TEXT NOT NULL);
CREATE INDEX configurations_group ON configurations (resource_group, seq);
CREATE INDEX configurations_scenario ON configurations (resource_group, scenario_id, seq);
CREATE INDEX configurations_executable ON configurations (resource_group, executable_id, seq);

CREATE TABLE executions (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, resource_group TEXT NOT NULL,
  configuration_id TEXT NOT NULL, configuration_name TEXT NOT NULL, scenario_id TEXT NOT NULL,
  executable_id TEXT NOT NULL, status TEXT NOT NULL, target_status TEXT NOT NULL,
  status_message TEXT NOT NULL, status_details TEXT NOT NULL, submission_time TEXT, start_time TEXT,
  completion_time TEXT, created_at TEXT NOT NULL, modified_at TEXT NOT NULL);
CREATE INDEX executions_group ON executions (resource_group, seq);
CREATE INDEX executions_configuration ON executions (resource_group, configuration_id, seq);
CREATE INDEX executions_scenario ON executions (resource_group, scenario_id, seq);
CREATE INDEX executions_executable ON executions (resource_group, executable_id, seq);
CREATE INDEX executions_status ON executions (resource_group, status, seq);
CREATE INDEX executions_active ON executions (status, seq)
  WHERE status IN ('UNKNOWN', 'PENDING', 'RUNNING', 'STOPPING');

CREATE TABLE metric_resources (
  execution_id TEXT PRIMARY KEY, resource_group TEXT NOT NULL, created_at TEXT NOT NULL,
  modified_at TEXT NOT NULL);
CREATE TABLE metrics (
  seq INTEGER PRIMARY KEY,
  execution_id TEXT NOT NULL REFERENCES metric_resources(execution_id) ON DELETE CASCADE,
  document TEXT NOT NULL);
CREATE INDEX metrics_execution ON metrics (execution_id, seq);
CREATE TABLE metric_values (
  execution_id TEXT NOT NULL REFERENCES metric_resources(execution_id) ON DELETE CASCADE,
  section TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (execution_id, section, name));

CREATE TABLE secrets (
  kind TEXT NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, metadata TEXT NOT NULL,
  created_at TEXT NOT NULL, PRIMARY KEY (kind, scope, name));
"""

# ServingTemplates beside WorkflowTemplates. A scenario shows only while a WorkflowTemplate carries its id
# (aicore.md section 4.1), and so do its executables.
_SECOND = """
ALTER TABLE executables ADD COLUMN deployable INTEGER NOT NULL DEFAULT 0;
CREATE VIEW visible_executables AS SELECT * FROM executables
  WHERE scenario_id IN (SELECT scenario_id FROM executables WHERE NOT deployable);
"""

_THIRD = """
CREATE TABLE deployments (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, resource_group TEXT NOT NULL,
  configuration_id TEXT NOT NULL, configuration_name TEXT NOT NULL, scenario_id TEXT NOT NULL,
  executable_id TEXT NOT NULL, status TEXT NOT NULL, target_status TEXT NOT NULL,
  last_operation TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 1, latest_running TEXT NOT NULL DEFAULT '',
  plan TEXT NOT NULL DEFAULT '', url TEXT NOT NULL DEFAULT '', status_message TEXT NOT NULL DEFAULT '',
  status_details TEXT NOT NULL DEFAULT '{}', submission_time TEXT, start_time TEXT, completion_time TEXT,
  created_at TEXT NOT NULL, modified_at TEXT NOT NULL);
CREATE INDEX deployments_group ON deployments (resource_group, seq);
CREATE INDEX deployments_configuration ON deployments (resource_group, configuration_id, seq);
CREATE INDEX deployments_scenario ON deployments (resource_group, scenario_id, seq);
CREATE INDEX deployments_executable ON deployments (resource_group, executable_id, seq);
CREATE INDEX deployments_status ON deployments (resource_group, status, seq);
"""

# When a deployment with a time to live ends; empty where it has none.
_FOURTH = """
ALTER TABLE deployments ADD COLUMN ttl TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN expires_at TEXT NOT NULL DEFAULT '';
"""

# What takes a database from each version to the next; never changed, only added to.
MIGRATIONS = (_FIRST, _SECOND, _THIRD, _FOURTH)
VERSION = len(MIGRATIONS)
