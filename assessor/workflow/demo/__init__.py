"""A made-up cohort from hand-in to mark sheet: each student gets what was planted, or the demo fails."""
