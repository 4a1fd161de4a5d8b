"""The shared scheduler as a service: the extender of a stock kube-scheduler, and the admission webhook.

It wires admission, placement and the API server together: the ledger is kept in step with the cluster, the extender's
verbs ask it, and a binding writes the decision.
"""
