"""What stores keep of acknowledged saves through 50 real kills of each setting."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from random import Random

import pandas as pd

from graphflow_nb.lessons import Durability, durability_table
from graphflow_nb.lessons.durability import SETTINGS

KILLS = 50


def durability() -> None:
    """Print the table of kills, and that of Redis everysec with kills a second or more later."""
    print(f"\nDurability: {KILLS} kills of each setting, on {os.cpu_count()} cores")
    began = time.perf_counter()
    for table in measure():
        with pd.option_context("display.width", 200, "display.max_columns", None):
            print(table.round(3).to_string(index=False), flush=True)
    print(f"  {time.strftime('%Y-%m-%d')}, {time.perf_counter() - began:.0f} s")


def measure() -> Iterator[pd.DataFrame]:
    for kind in SETTINGS:
        yield durability_table([kind], kills=KILLS, seed=1)
    # By then Redis has begun to force its file to the disk, and holds back its writes meanwhile.
    chance = Random(1)
    with Durability("redis", pace=0, appendonly="yes", appendfsync="everysec") as trial:
        for _ in range(KILLS):
            trial.write(chance.randint(1000, 4000))
            trial.kill()
            trial.restart()
            trial.look()
        late = trial.table()
    late["setting"] += ", after 1,000 to 4,000 saves"
    yield late
