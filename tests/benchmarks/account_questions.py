"""What is asked of the views of accounts and refusals, and by the gateway of the tables below."""

from __future__ import annotations

from gateway import alert_queries, dead_letter_queries, report_queries
from tests.benchmarks.view_subjects import DAY, MONTH, SITE, Subject, day, newest

SUBJECTS = (
    Subject(
        {"dead_letters": {"topic": "'hcp.sites.v1'", "reason": "'reason-' || g % 12"}},
        (
            newest("dead_letters", "refused_at", "dead_letter_id"),
            (
                "dead_letters",
                "by reason, all that are kept",
                "SELECT reason, count(*) FROM analytics.dead_letters GROUP BY reason",
            ),
        ),
        {
            "GET /dead-letters?reason": lambda db: dead_letter_queries.dead_letters(
                db, 100, None, topic=None, reader=None, reason="reason-3"
            ),
            "GET /health: dead letters of a day": lambda db: dead_letter_queries.newest_by_topic(
                db, 1_000
            ),
        },
        share=0.02,
    ),
    Subject(
        {
            "billing_differences": {
                "reason": "(ARRAY['late_price', 'late', 'contradicted'])[1 + g % 3]"
            }
        },
        (
            newest("billing_differences", "interval_start", "site_id"),
            day("billing_differences", "interval_start"),
            (
                "billing_differences",
                "by site and reason, all time",
                "SELECT site_id, reason, sum(energy_mwh), sum(difference_usd) "
                "FROM analytics.billing_differences GROUP BY site_id, reason",
            ),
        ),
        {
            "GET /report: differences of a month": lambda db: report_queries.billing_differences(
                db, SITE, *MONTH
            ),
        },
    ),
    Subject(
        {
            "rated_usage": {
                "contract_id": "'contract-' || g % 1000",
                "period_start": "timestamptz '2020-01-01' + (g / 20000) * interval '1 day'",
                "site_id": "'site-' || g / 1000 % 20",
            },
            # all but the newest of the periods are billed
            "period_closings": {
                "customer_id": "'customer-' || g",
                "contract_id": "'contract-' || g",
                "closed_until": "timestamptz '2020-09-01'",
            },
            "usage_collections": {
                "site_id": "'site-' || g / 1000",
                "customer_id": "'customer-' || g % 1000",
                "collected_until": "timestamptz '2020-09-01' - interval '5 days' * (g % 1000 % 2)",
                "heard_at": "now()",
            },
            "collection_waivers": {},
        },
        (
            ("unbilled_usage", "all", "SELECT * FROM analytics.unbilled_usage"),
            (
                "unbilled_usage",
                "of one customer",
                "SELECT * FROM analytics.unbilled_usage WHERE customer_id = 'customer-7'",
            ),
            ("silent_sites", "all", "SELECT * FROM analytics.silent_sites"),
            (
                "collection_waivers",
                "newest 100",
                "SELECT * FROM analytics.collection_waivers ORDER BY waived_at DESC LIMIT 100",
            ),
        ),
        {
            "GET /alerts, with silent sites": lambda db: alert_queries.alerts(
                db, 100, None, site_id=None, active=True
            ),
        },
        shares={
            "period_closings": 0.0002,
            "usage_collections": 0.004,
            "collection_waivers": 0.002,
        },
    ),
    Subject(
        {"rejected_inputs": {"topic": "'hcp.sites.v1'", "reason": "'reason-' || g % 12"}},
        (
            (
                "rejected_inputs",
                "by reason, all time",
                "SELECT reason, count(*) FROM analytics.rejected_inputs GROUP BY reason",
            ),
            newest("rejected_inputs", "at", "key"),
            (
                "rejected_inputs",
                "by reason, one day of all logs",
                "SELECT reason, count(*) FROM analytics.rejected_inputs "
                f"WHERE at BETWEEN {DAY} GROUP BY reason",
            ),
        ),
    ),
    Subject(
        {
            "usage": {
                "state": "CASE WHEN g % 50000 = 0 THEN 'held' ELSE 'rated' END",
                "unit": "CASE WHEN g % 2 = 0 THEN 'gpu_us' ELSE 'wh' END",
                "interval_end": "timestamptz '2020-01-01' + g * interval '30 s'",
            }
        },
        (
            newest("usage", "interval_start", "usage_id"),
            day("usage", "interval_start", "customer_id = 'customer-7'"),
            (
                "usage",
                "a day of all sites by model",
                "SELECT gpu_model, sum(gpu_hours), sum(amount_usd) FROM analytics.usage "
                f"WHERE interval_start BETWEEN {DAY} GROUP BY gpu_model",
            ),
            (
                "usage",
                "amount by customer, all time",
                "SELECT customer_id, sum(amount_usd) FROM analytics.usage GROUP BY customer_id",
            ),
        ),
        {
            "GET /report: refused and held in a month": lambda db: report_queries.refused_usage(
                db, SITE, *MONTH
            ),
            "GET /alerts, with held usage": lambda db: alert_queries.alerts(
                db, 100, None, site_id=None, active=True
            ),
        },
    ),
    Subject(
        {"usage_ratings": {"usage_id": "'usage-' || g / 3", "unit": "'wh'"}},
        (
            (
                "usage_ratings",
                "of one usage",
                "SELECT * FROM analytics.usage_ratings WHERE usage_id = 'usage-7'",
            ),
            (
                "usage_ratings",
                "amount by tariff, all time",
                "SELECT priced_by, sum(amount_usd) FROM analytics.usage_ratings GROUP BY priced_by",
            ),
        ),
    ),
    Subject(
        {
            "invoices": {"state": "'finalized'", "currency": "'USD'"},
            "invoice_lines": {"invoice_id": "'invoice_id-' || g % 1000000", "unit": "'wh'"},
        },
        (
            newest("invoices", "period_start", "invoice_id"),
            (
                "invoices",
                "total by customer",
                "SELECT customer_id, sum(total_usd) FROM analytics.invoices GROUP BY customer_id",
            ),
            (
                "invoice_lines",
                "of one invoice",
                "SELECT * FROM analytics.invoice_lines WHERE invoice_id = 'invoice_id-7'",
            ),
            (
                "invoice_lines",
                "by meter, all time",
                "SELECT meter, sum(amount_usd) FROM analytics.invoice_lines "
                "WHERE workload_id < 'workload_id-2' GROUP BY meter LIMIT 10",
            ),
        ),
        {"GET /report: invoices by state": report_queries.invoice_counts},
    ),
)
