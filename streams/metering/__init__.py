"""Metering: turns placements and metered energy into usage.

Reads the site log: what ran where from routing's events only (`WorkloadQueued`, `WorkloadPlaced`,
`WorkloadRequeued`, `WorkloadReleased`, `HourClosed`), and the facts `UnitRegistered`,
`EnergyMetered`, `PowerPricePublished` and `TimePassed`.
Writes `UsageRecorded` and the watermark `UsageCollected` to the account log, and
`BillingDifferenceFound` to the site log.
Owns how much was used, and nothing about what it costs.
Leaves out of account, and counts in its state, every input that routing refuses (until routing has
answered, by the same rules: `refusals.py`), and readings that contradict earlier ones or come after
their hour was collected (`readings.py` names every reason).

What is left out is counted by reason in the state, and shown as the metric `hcp_streams_left_out`.
GPU time beyond a year of one jump of the clock is counted there too (`intervals.py`). What of it
leaves a bill different from what was metered, or from what the price is known to be by now, is also
said on the site log, as `BillingDifferenceFound` (`differences.py`): a price or a meter that came
after its hour was collected, and a meter that contradicts another. It is no event of the account
log: there it would need a customer, and nobody knows any more whose a late meter is.

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
- A meter counts whatever feeder it comes from, as long as its units are the site's: a GPU may have
  moved to another feeder since, and a feeder may be gone. An hour waits for the meters of the
  feeders that its placements were on; a unit that such a meter does not name drew nothing.
- A meter ahead of the clock is held until the clock gets there.
- Energy is priced by the price in force at each moment (`streams.prices`): an hour is cut at its
  settlement quarters and wherever the price changes. A reading over several pieces is split among
  them by how long the GPU had work in each, in whole watt-hours by largest remainder; one over
  several hours is first cut at the hours, by time alone. More than 60 pieces in an hour become
  minutes, each at its mean price by time (`usage.py`).
- An hour waits for its prices up to the allowance, except for gaps of up to a minute. They are
  those of the finest feed that was heard of within a day before it (`collection.py`): an hourly
  price of the day ahead does not stand for the settlement of its quarters. Then a price that ended
  is carried forward for up to an hour; what is still without one is recorded with null, and the
  usage is not held up.
- A reading that comes after the allowance is not billed: its hour was collected without it. One
  that repeats what was billed is then counted as late too, for the two cannot be told apart.
"""
