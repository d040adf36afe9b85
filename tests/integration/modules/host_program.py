"""A host program for the tests: launches workers, keeps them busy, ends in the way it is told.

``host_program.py <root> <work.py> <folder> <workers> <what they do> <how the host ends>``
"""

import os
import signal
import sys
import threading
import time

from wetlands import EnvironmentManager


def main() -> None:
    root, work, folder, workers, doing, ending = sys.argv[1:7]
    manager = EnvironmentManager(root, progress=False)
    env = manager.load("host", sys.executable)
    env.launch(max_workers=int(workers))
    pids = {task.wait_for(5).result for task in env.map_tasks(work, "pid", range(20))}
    if doing == "busy":
        env.submit(work, "hold", (folder,))
    elif doing == "gil":
        env.submit(work, "hold_gil_from", (folder,))
        while not os.path.exists(os.path.join(folder, "gil.started")):
            time.sleep(0.01)
    elif doing == "children":
        pids.add(env.execute(work, "start_child"))
    print(" ".join(str(pid) for pid in pids), flush=True)
    ENDINGS[ending](manager, env)


def fall_off(manager: object, env: object) -> None:
    pass


def fail(manager: object, env: object) -> None:
    raise ValueError("unhandled in the host")


def leave_other_thread(manager: object, env: object) -> None:
    # A daemon thread that still uses the environment while the program ends.
    def use() -> None:
        while True:
            env.execute(len, args=([1],))  # type: ignore[attr-defined]

    threading.Thread(target=use, daemon=True).start()
    time.sleep(0.05)


def wait(manager: object, env: object) -> None:
    signal.pause()


def wait_in_context(manager: object, env: object) -> None:
    try:
        with manager:  # type: ignore[attr-defined]
            print("inside", flush=True)
            while True:
                time.sleep(0.01)
    except KeyboardInterrupt:
        print("interrupted", flush=True)


ENDINGS = {
    "end": fall_off,
    "sys.exit": lambda manager, env: sys.exit(7),
    "exception": fail,
    "os._exit": lambda manager, env: os._exit(9),
    "daemon thread": leave_other_thread,
    "wait": wait,
    "context": wait_in_context,
}

if __name__ == "__main__":
    main()
