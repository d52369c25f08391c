"""Sandbox backends: one contract, one file a backend."""
