"""Evaluation runs: data, systems under test, metrics, reports. Loaded through the registry."""
