"""`GET /metrics/hitk`: the validation of the live bundle, run again."""
