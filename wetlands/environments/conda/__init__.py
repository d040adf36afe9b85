"""Conda packages without an installed conda: py-rattler, run in a helper process.

Modules, from the bottom up::

    package                         `CondaPackage`: a package that was chosen, with its hashes
    specs condarc channels pixi_entries pixi_files
                                    what users write, and where packages are to come from
    cache                           the package cache, shared by environments and processes
    messages                        what host and helper say to one another
    helper helper_records helper_client helper_report helper_check helper_solve helper_install
                                    what runs in the helper: the only ones that import py-rattler
    helper_process                  starts a helper, and hears it
    engine                          `Engine.solve`, `Engine.install`: the face for all others
    stubs adding activation maker   what else a Conda environment needs: uv told of what Conda gave,
                                    more packages, its variables, and its `Maker`

The helper is a process of its own because py-rattler can panic, and can crash when the interpreter
ends; so that it can be killed to cancel it; and because it costs memory, which only a build needs.
"""
