"""Room: quizzes."""
