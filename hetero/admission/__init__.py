"""Admission: what a pod asks for, what it is given that it leaves unsaid, or every reason why it is refused. Pure.

:mod:`hetero.admission.workloads` turns one YAML document into the pods that it starts, and
:mod:`hetero.admission.objects` a pod of the API into the same; :mod:`hetero.admission.asks` turns a pod into what it
asks of the installed vendors. :mod:`hetero.admission.review` answers an API server that is about to store a new pod,
and :mod:`hetero.admission.registration` makes what a cluster must be told for that.
"""
