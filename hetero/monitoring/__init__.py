"""What slices and devices really use, from the regions and from what vendors sample.

Reads only; decides nothing.
"""
