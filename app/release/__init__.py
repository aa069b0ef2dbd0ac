"""Making bundles, and choosing which one is live."""
