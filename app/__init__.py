"""The service: everything that is about requests. Rooms, each may use those below it.

* commands    the one console command
* api         HTTP: the app, what is around each request, the routes
* service     what is live, and the thread that computes; knows no HTTP
* release     bundles built, promoted, rolled back
* hitk        the validation of the live bundle, run again between requests
* wire        what comes in and goes out: bodies, options, queries, answers, problems
* inference   engine, neighbors, golden query, the batches of the one thread
* metrics     what Prometheus reads
* bundle      one version of model, index, names and validation
* settings, logs, checked, errors
"""
