"""One contract, three recurrent networks."""
