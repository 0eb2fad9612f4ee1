"""Metering: turns placements and metered energy into usage.

Reads the site log: what ran where from routing's events only (`WorkloadQueued`, `WorkloadPlaced`,
`WorkloadRequeued`, `WorkloadReleased`, `HourClosed`), and the facts `UnitRegistered`,
`EnergyMetered`, `PowerPricePublished` and `TimePassed`.
Writes `UsageRecorded` and the watermark `UsageCollected` to the account log.
Owns how much was used, and nothing about what it costs.
Refuses (ignores and counts in its state) every input that routing refuses, by the same rules
(`refusals.py`), and readings that contradict earlier ones, that come after their hour was
collected, or that are longer than an hour or from the future.

What is billed, and why:

- GPU time runs from `WorkloadPlaced` to `WorkloadReleased` or `WorkloadRequeued`: the units are
  withheld from everybody else, and powered, from the placement on. `WorkloadStarted` would be a
  producer's word about it, and the switch between the two takes less than half a second.
- A placement that ends because its switch failed (reason `switch_failed`) is not billed: it gave
  the customer nothing. What was recorded before it failed stands: GPU time up to the last hour that
  routing had closed, energy up to the last hour that was collected.
- `TimePassed` is on the log before routing has answered what came before it. So an hour is recorded
  when routing says, by `HourClosed`, that it has answered everything up to it; the clock alone
  decides only how long late meters and prices are waited for.
- Energy is what a GPU's meter counted, shared among the workloads on it by gpu_milli x time. All of
  it: an unshared part of a GPU runs for the workload on the other part. Energy that a GPU drew with
  no workload on it, or for a failed switch, is the site's own.
- Energy is recorded for each settlement quarter of an hour, at the power price of that quarter. A
  reading over several quarters is split among them by how long the GPU had work in each. A price
  that is still missing after the allowance is recorded as null, and the usage is not held up.
- A reading that comes after the allowance is not billed: its hour was collected without it.
"""
