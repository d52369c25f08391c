"""Marks as pure arithmetic: lateness, assignments, components, the module. No database, no clock, no rounding but one."""
