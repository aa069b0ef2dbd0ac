"""Vectors, models and truth. Rooms, each may use those below it.

* commands         the command line of training: parse, call, print
* study, rejudge   many runs in one report; one checkpoint judged again
* run, recipe_run  one run, whole; the same by the name of a recipe
* runs             runs side by side
* reporting        what people read of a run: page, diagnosis, examples
* fit              the loop: train, measure, stop early, survive a crash
* preparation      what a run needs before its first step, shared between runs
* config, recipe   what a run can be told, and named sets of it
* listener         who hears how a run gets on
* checkpoint       weights and card, never pickle
* evaluation       pools, ranks, baselines, intervals, readiness
* corpus, models   where sequences come from; the networks and their contract
* transform        the space that is searched
* run_folder       which files a run consists of
* files, vectors   whole or not there; what a usable vector is
* errors, steps
"""
