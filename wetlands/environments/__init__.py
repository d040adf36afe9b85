"""Recipe -> key -> lock -> prefix: isolated environments on disk, shared by every process.

Modules, from the bottom up::

    progress  names  masking  disk  flock        what everything below stands on
    python_request  recipe  local_sources        what the user asked for, and its key
    config_files                                 the same, read from the user's files
    probing  interpreters                        which Pythons this machine has
    package_index  tools  uv                     how uv is run, and with whose index settings
    lock  venv  sidecar                          what uv is asked to do
    records  builder  registry                   what lies on disk, safe among processes

Nothing here starts a thread or keeps state at import.
"""
