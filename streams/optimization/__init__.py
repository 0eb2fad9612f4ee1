"""Advises a site which ASICs should mine, in which mode, and what power that leaves for AI.

Reads the site log. Writes `PowerPlanProposed` on it, whenever the price of power, the hashprice, a
curtailment or the capacity changed enough to matter and another plan earns more than what runs.
Owns no authority: what runs is what routing assigned, and a plan is advice that routing checks. It
refuses nothing; what routing refuses moves nothing here (until routing has answered, by the same
rules: `refusals.py`).
"""
