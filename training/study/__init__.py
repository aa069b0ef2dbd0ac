"""Many runs on one corpus, compared: small results that are kept, and a report."""
