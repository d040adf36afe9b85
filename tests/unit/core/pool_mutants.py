"""Broken versions of the core: each breaks one promise, and the world must notice.

A new promise needs a new mutant.
"""

from __future__ import annotations

import mutants_of_ahead
import mutants_of_relays
import mutants_of_staff
import mutants_of_standstill
import mutants_of_tasks
import mutants_of_workers

MUTANTS = [
    *mutants_of_tasks.MUTANTS,
    *mutants_of_staff.MUTANTS,
    *mutants_of_workers.MUTANTS,
    *mutants_of_ahead.MUTANTS,
    *mutants_of_relays.MUTANTS,
    *mutants_of_standstill.MUTANTS,
]
