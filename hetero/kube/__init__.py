"""The only door to the API server: connecting, reading and watching, binding, events.

``kubernetes`` is the client: it reads configurations, authenticates and carries requests. Answers are decoded into the
small structs of :mod:`hetero.kube.objects`, which hold what hetero reads and nothing else.
"""
