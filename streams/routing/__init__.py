"""Routing: the only authority on a site.

Reads: the site log (`hcp.sites.v1`), one site at a time.
Writes: the site log (`WorkloadQueued`, `WorkloadPlaced`, `WorkloadRequeued`, `WorkloadReleased`,
`WorkloadRejected`, `UnitModeAssigned`, `PowerPlanApplied`, `CurtailmentMet`, alerts,
`InputRejected`), decisions (`DecisionExplained`) and intake (`SiteSummarized`).
Owns: the queue, which GPUs run what, the mode of every ASIC, and every power limit of the site.
Refuses: to turn mining on by itself (only a plan does), to plan power past a feeder's cap, the
site's cap or a curtailment in force, and every input that `rejection` or `admission` names.
"""
