"""The command line: one module per command; wires the stages together and prints.

``hetero.cli.main:main`` is the program. Nothing below imports this package.
"""
