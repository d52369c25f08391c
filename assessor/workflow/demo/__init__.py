"""A made-up cohort from hand-in to mark sheet: each student has a planted fate, and gets what the plan says or the demo fails."""
