"""The command line of training: one file for each group of commands."""
