"""What comes in and goes out: bodies, options, queries, answers, problems."""
