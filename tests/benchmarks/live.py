"""What ``wb.latency.live()`` costs the process that it watches, and how often it updates."""

from __future__ import annotations

from typing import Any

RATE = 1_000  # operations a second
SECONDS = 30

#: Runs in a kernel of its own, where the view's messages are really sent.
WORK = """\
import threading, time
import graphflow_nb as g
wb = g.open("demo")
stop = threading.Event()
def load():
    began, done = time.monotonic(), 0
    while not stop.is_set():
        while done < (time.monotonic() - began) * {rate}:
            wb.get("claim-0014")
            done += 1
        time.sleep(0.005)
def measure(seconds):
    before, began, made = time.process_time(), time.monotonic(), len(wb.latency)
    time.sleep(seconds)
    passed = time.monotonic() - began
    return (time.process_time() - before) / passed, (len(wb.latency) - made) / passed
thread = threading.Thread(target=load)
thread.start()
time.sleep(2)
alone = measure({seconds})
live = wb.latency.live()
updates, pictures = [], []
live.totals.observe(lambda _: updates.append(time.monotonic()), "value")
live.picture.observe(lambda _: pictures.append(time.monotonic()), "value")
time.sleep(2)
with_view = measure({seconds})
stop.set()
thread.join()
ended = time.monotonic()
while f"{{len(wb.latency):,}}" not in live.words.value:
    time.sleep(0.05)
last = time.monotonic() - ended
live.close()
gaps = [b - a for a, b in zip(updates, updates[1:]) if b < ended]
print("figures", *alone, *with_view, len(gaps) / sum(gaps), max(gaps), len(pictures), last)
"""


def live() -> None:
    """Measure processor time of a kernel under load with and without a live view."""
    print(f"\nlatency.live() at {RATE:,} operations a second, in memory, in a kernel, {SECONDS} s")
    found = _run_in_kernel()
    alone, rate, with_view, rate_too, updates, longest, pictures, last = found
    print(f"  {'processor time without the view':<52}{alone:>11.1%} of a core, {rate:,.0f}/s")
    print(f"  {'processor time with the view':<52}{with_view:>11.1%} of a core, {rate_too:,.0f}/s")
    print(f"  {'what the view costs':<52}{with_view - alone:>11.1%}  aim ≤ 5 %")
    print(f"  {'updates':<52}{updates:>10.2f}/s  aim ≥ 1 a second, longest gap {longest:.2f} s")
    print(f"  {'pictures':<52}{pictures:>11.0f}  the last one {last:.1f} s after the work stopped")


def _run_in_kernel() -> list[float]:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    printed: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])
        elif message["msg_type"] == "error":
            raise RuntimeError("\n".join(message["content"]["traceback"]))

    try:
        code = WORK.format(rate=RATE, seconds=SECONDS)
        client.execute_interactive(code, timeout=10 * SECONDS, output_hook=hear)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (line,) = [line for line in "".join(printed).splitlines() if line.startswith("figures ")]
    return [float(word) for word in line.split()[1:]]
