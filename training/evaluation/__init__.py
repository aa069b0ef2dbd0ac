"""How often a prediction is right, against whom, and how sure that is."""
