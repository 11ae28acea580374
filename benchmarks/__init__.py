"""Measurements of what the README promises, each against the runbook done by hand."""
