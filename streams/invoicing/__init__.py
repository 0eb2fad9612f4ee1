"""Invoicing: rates usage, and bills it by period.

Reads the account log: contracts, tariffs, usage and its watermarks, and waivers, of one customer at
a time.
Writes to the same log: `UsageRated`, `BillingPeriodClosed`, `InvoiceDrafted`, `InvoiceFinalized`,
and `InputRejected` for what it understood and refused (`refusals.py` names the reasons). A customer
without a contract at its first usage gets the on-demand one (`contracts.py`).
Owns what usage costs and which invoice bills it; each usage is rated once and billed once.
Refuses to bill the same usage twice, to change a tariff or contract after the fact, and to guess.

- A usage is cut where its price or its period changes: where a contract starts, and where a period
  ends by the calendar of the contract in force (`cutting.py`). Each piece is rated and billed by
  itself, under the contract and in the period it was used in; before the first contract the
  customer is on demand. A contract signed afterwards changes nothing that is rated.
- A period closes when every site with usage in it has collected past its end, in order. Usage for a
  period already drafted, of a site that had none in it, is billed in the next one.
- A site that says nothing more holds its customers' periods up until an operator waives the wait
  (`CollectionWaived`), up to a moment that is over: periods and graces that end by then wait for it
  no longer. What lies too far after the site's last word cannot be over there, and is refused. It
  is waited for again with its next watermark; usage of closed periods that comes then is billed in
  the next open one.
- On demand, GPU time costs the list price quoted when it was placed, which the workload's
  `max_price_usd_per_gpu_hour` was checked against. A negotiated tariff is the customer's own word:
  its prices hold whatever the list price is, and the cap of a workload does not change them. A
  model that it does not name costs the list price quoted; `priced_by` says what priced a usage. If
  no price was quoted either, the usage is held (`UsageHeld`), on no invoice, until a tariff that
  has the model is published (`holding.py`).
- Rating rounds once for each piece, half up, to micro-dollars. Lines and totals only add.
- An invoice of a period with more usage than a record holds comes in parts, each with an
  `invoice_id` of its own and lines that add up to its own total (`invoices.py`).
- Usage that overlaps what was rated of the same meter and placement, or starts behind its site's
  watermark, is refused: it was recorded before, and metering never does that (`usage.py`).
"""
