"""Picks the site for a submission that names none.

Reads the intake log: submissions, cancellations, and what routing says each site has to offer.
Writes `WorkloadSubmitted` on the chosen site's log; on its own log `WorkloadForwarded`,
`WorkloadQueued` while no site of the pool can take it yet, or `WorkloadRejected` when every site
has told what it has and none could ever run it. Owns what waits, at most 10,000 submissions of a
pool, and where it has sent the last 10,000, so that one that is sent again goes to the same site
and never runs on two. Refuses a workload id that stands for something else already, or that no
site would take. It does not judge a submission otherwise: the site's routing does.
"""
