"""Room: notebooks."""
