"""What stores keep of acknowledged saves through 50 real kills of each setting."""

from __future__ import annotations

import os
import time
from random import Random

import pandas as pd

from graphflow_nb.lessons import Durability, durability_table

KILLS = 50
COLUMNS = ["store", "setting", "kills", "acknowledged", "with_loss", "lost", "most_lost"]
COLUMNS += ["unacknowledged", "torn", "low", "high"]


def durability() -> None:
    """Print the table of kills, and that of Redis everysec with kills a second or more later."""
    print(f"\nDurability: {KILLS} kills of each setting, on {os.cpu_count()} cores")
    began = time.perf_counter()
    tables = [durability_table(kills=KILLS, seed=1)]
    # By then Redis has begun to force its file to the disk, and holds back its writes meanwhile.
    chance = Random(1)
    with Durability("redis", pace=0, appendonly="yes", appendfsync="everysec") as trial:
        for _ in range(KILLS):
            trial.write(chance.randint(1000, 4000))
            trial.kill()
            trial.restart()
            trial.look()
        late = trial.table()
    late["setting"] += ", 1,000 to 4,000 saves"
    table = pd.concat([*tables, late], ignore_index=True)
    with pd.option_context("display.width", 200, "display.max_columns", None):
        print(table[COLUMNS].round(3).to_string(index=False))
    print(f"  {time.strftime('%Y-%m-%d')}, {time.perf_counter() - began:.0f} s")
