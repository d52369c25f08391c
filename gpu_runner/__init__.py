"""Run notebooks by strangers: sandboxes, kernels, limits. Knows no students and no marks."""
