"""One side of a border, bare: a codec in any Python, driven through pipes.

`python side.py <folder of worker_entry> <folder of samples> <protocol>`; a request is `(what, name,
frames)`, and its answer `(frames or text, error)`, both as plain pickles.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
import warnings
from typing import Any


def _serve() -> None:
    package, folder, protocol = sys.argv[1:]
    sys.path[:0] = [package, folder]
    warnings.simplefilter("ignore")
    import samples

    from worker_entry.codec import Codec

    codec = Codec(int(protocol), False)
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def answer(what: str, name: str, frames: Any) -> Any:
        if what == "names":
            return samples.names()
        if what == "make":
            return [bytes(frame) for frame in codec.dumps(samples.make(name))]
        value = codec.loads(frames)
        back = [bytes(frame) for frame in codec.dumps(value)]
        samples.check(name, value)  # which may change it: random generators
        return back

    while True:
        try:
            request = pickle.load(source)
        except EOFError:
            return
        try:
            reply = (answer(*request), None)
        except BaseException:
            reply = (None, traceback.format_exc())
        pickle.dump(reply, sink, 4)
        sink.flush()


if __name__ == "__main__":
    _serve()
