"""Records and arithmetic: pure data that all stages share.

Nothing here does I/O, reads a clock or imports another part of hetero except :mod:`hetero.errors`. A
record is a frozen struct; annotation, checkpoint and shared region are its serialised forms, so any stage
can be tested with a literal and replayed from a dump.
"""
