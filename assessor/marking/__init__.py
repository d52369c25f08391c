"""Marks as pure arithmetic: lateness, assignments, components, the module. No database, no clock, one rounding."""
