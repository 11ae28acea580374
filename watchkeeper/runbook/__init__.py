"""The one place where a runbook is read."""
