"""Locks: which file of which package, with its sha256, for one platform or several.

A venv's lock is a ``pylock.toml`` (PEP 751), that of a Conda environment a ``conda-lock.yml``
(version 1); both are read and written as other tools do.

Modules, from the bottom up::

    platforms      the names that a platform has in recipes, in Conda, for uv and in markers
    package        one locked file
    pylock conda_lock pixi_lock    each format, as functions over plain data
    wheels         which wheel of a package a platform gets
    formats        the formats behind one face
    lock           `Lock`: what users hold
    agreement      whether a lock is one for a recipe
    making conda_making            recipe -> lock
"""
