"""Picks the site for a submission that names none.

Reads the intake log: submissions, and what routing says each site has to offer. Writes
`WorkloadSubmitted` on the chosen site's log, and on its own log `WorkloadRejected` when no site of
the pool could ever run the submission. Owns which submissions it has sent on, so that one that is
sent twice never runs on two sites. Refuses a workload id that stands for something else already.
It does not judge a submission otherwise: the site's routing does.
"""
