"""How functions travel to a worker whose Python can't read the host's code objects.

-   `origin` says where a function or class comes from, hence whether it can be imported there.
-   `finding` finds the source text of one definition.
-   `names` says which names a definition uses, and when.
-   `bundle` pickles a callable with all that it uses, `others` what in it is neither function nor
    class; `worker_entry.rebuild` is their counterpart.
"""
