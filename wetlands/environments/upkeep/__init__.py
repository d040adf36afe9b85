"""What becomes of environments after they were made: looked at, checked, mended, removed.

Modules, from the bottom up::

    manifests      what the packages in a prefix say about themselves and their files
    inventory      `InstalledPackage`: which packages there are
    verification   `Verification`: every file against what its package says of it
    links          the same, in a moment, for files that were just linked from a cache
    repair         builds what is broken anew, from its lock
    exporting      an environment as a file for others
    last_use       when an environment was last used
    usage          `DiskUsage`: how much space is taken
    pruning        `Pruned`: removes what nobody uses
    face           `Upkeep`: all of this for one root
"""
