"""What installs and removes hetero on a cluster: the webhook's certificate, and what an uninstall must not leave.

May reach the API server and make keys; knows no vendor, places no pod and touches no device.
"""
