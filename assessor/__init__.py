"""Mark a deep-learning module: from a course directory to a mark sheet."""
