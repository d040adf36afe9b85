"""A small channel of real Conda packages, made on the spot from what this machine has.

No network and no Conda tool is needed: the format is written here, and what is in the packages is
real, an actual CPython among them. ``channel`` puts one together, ``server`` serves it over HTTP
with all that can go wrong there.
"""
