"""Admission: what a pod's manifest asks for, or every reason why it cannot be read. Pure.

:mod:`hetero.admission.workloads` turns one YAML document into the pods that it starts,
:mod:`hetero.admission.asks` turns a pod into what it asks of the installed vendors.
"""
