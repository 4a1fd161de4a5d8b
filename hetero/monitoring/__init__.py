"""What slices and devices really use, from the regions and from what vendors sample; and what of it is lent.

Use is read only. Loans (:mod:`~hetero.monitoring.balance` decides, :mod:`~hetero.monitoring.lending` acts) change no
limit: they come on top for two periods.
"""
