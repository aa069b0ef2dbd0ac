"""Closed forms over the ids of items: what a network on item sequences has to beat."""
