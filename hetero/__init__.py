"""hetero: accelerators of many vendors, shared.

The top package stays empty of imports, so that a vendor package that needs one record does not pull in
the command line or numpy. What a vendor implements is in :mod:`hetero.vendor`; its marker for hooks is
:data:`hetero.hookspecs.hookimpl`.
"""

__version__ = "0.1.0"
