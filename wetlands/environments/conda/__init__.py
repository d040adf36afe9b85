"""Conda packages without an installed conda: py-rattler, run in a helper process.

Modules, from the bottom up::

    package                         `CondaPackage`: a package that was chosen, with its hashes
    specs condarc channels          what users write, and where packages are to come from
    cache                           the package cache, shared by environments and processes
    messages                        what host and helper say to one another
    helper helper_solve helper_install helper_report helper_client
                                    what runs in the helper: the only ones that import py-rattler
    engine                          `Engine.solve`, `Engine.install`: the face for all others

The helper is a process of its own because py-rattler can panic, and can crash when the interpreter
ends; so that it can be killed to cancel it; and because it costs memory, which only a build needs.
"""
