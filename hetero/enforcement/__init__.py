"""Limits of a slice, as files on its node: the shared region and the directory that holds it.

May import the model, the vendor interface and what lies below; knows neither stages above it nor any driver.
"""
