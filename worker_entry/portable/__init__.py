"""Values in a form that any version of Python and of their library can read.

A pickle names the functions and classes that rebuild its values, and those are private to one
version: NumPy 2 writes `numpy._core.multiarray`, which NumPy 1 lacks; Python 3.13 moved paths to
`pathlib._local`. So, types that are known for it are taken apart into *parts*, which are plain data
or other values with a portable form, and the pickle names a function of this package that makes a
value of the parts again, with whatever library the other side has. Both sides have this package.

-   `table` says which types; it is the pickler's dispatch table, so that a value without any of
    them costs nothing.
-   Each of the other modules is about one library: `reduce_...` takes a value apart on one side,
    `build_...` makes one on the other. What `build_...` is called, and with what, is part of the
    wire: raise `protocol.VERSION` when that changes.
-   `registry` holds the types that users add.

What has no portable form is pickled as ever, by reference to its class.
"""
