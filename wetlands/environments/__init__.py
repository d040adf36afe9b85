"""Recipe -> key -> lock -> prefix: isolated environments on disk, shared by every process.

Modules, from the bottom up::

    flock cancellation progress names masking disk layout
                                               what everything below stands on
    python_request entries recipe              what the user asked for, and its key
    local_sources requirement_files project_files config_files
                                               the same, from files and folders of the user
    answers probing interpreters               which Pythons this machine has
    package_index tools uv workspace           how uv is run, and with whose index settings
    resolutions lock venv sidecar              what uv is asked to do, and was a short while ago
    blank stock                                venvs as they were made and filled before
    scratch prefix records claims builder creation    what lies on disk, and who may change it
    locks/                                     locks as files, for several platforms
    conda/                                     Conda packages: solved for, fetched, activated
    upkeep/                                    looked at, verified, repaired, exported, pruned
    adoption extension registry                the rest of what one can do with it, and the face

Nothing here starts a thread or keeps state at import.
"""
