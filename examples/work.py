"""What the small examples run inside an environment; it needs nothing but Python."""

import os


def count_primes(limit, task=None):
    """Return how many primes there are below a limit; say how far the count has got."""
    found = 0
    for number in range(2, limit):
        if task and number % 1000 == 0:
            if task.cancel_requested:
                task.cancel()  # acknowledged: the task will be CANCELED
                return found
            task.update(f"{found} primes so far", current=number, maximum=limit)
        found += is_prime(number)
    if task:
        task.update(f"{found} primes", current=limit, maximum=limit)
    return found


def is_prime(number):
    """Tell whether no smaller number divides it."""
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def keep_counting(task):
    """Count until asked to stop; publish how far it got."""
    number = 0
    while not task.wait_for_cancel(timeout=0.01):
        number += 1
        task.update(f"at {number}", current=number)
    task.set_output("reached", number)
    task.cancel()


def never_listen():
    """Work on and on without ever looking at a task handle."""
    while True:
        pass


def use_gpu(item):
    """Return an item with the GPU and the process that it was given to."""
    count_primes(20_000)  # stands in for the real work
    return item, os.environ["CUDA_VISIBLE_DEVICES"], os.getpid()
