"""What is asked of the views of sites, and by the gateway of the tables below."""

from __future__ import annotations

from gateway import alert_queries, money_queries, queries, report_queries
from tests.benchmarks.view_subjects import DAY, MONTH, SITE, Subject, day, newest, steps

SUBJECTS = (
    Subject(
        {
            "workloads": {
                "state": "CASE WHEN g % 50000 = 0 THEN 'queued' ELSE 'completed' END",
                "kind": "(ARRAY['training', 'inference', 'batch', 'interactive'])[1 + g % 4]",
                "queue_offset": "g",
            }
        },
        (
            newest("workloads", "submitted_at", "workload_id"),
            day("workloads", "submitted_at"),
            (
                "workloads",
                "by kind, all time",
                "SELECT kind, count(*), avg(wait_s) FROM analytics.workloads GROUP BY kind",
            ),
            ("queue", "all that wait", "SELECT * FROM analytics.queue"),
        ),
        {
            "GET /report: workloads by state": lambda db: report_queries.workload_counts(db, None),
            "GET /report: of one site": lambda db: report_queries.workload_counts(db, SITE),
            "GET /report: what naive policies ran in a month": lambda db: (
                report_queries.queued_jobs(db, SITE, MONTH[0], *MONTH)
            ),
            "GET /report: what ended in a month": lambda db: report_queries.ended_jobs(
                db, SITE, *MONTH
            ),
            "GET /queue": lambda db: queries.queue(db, 100, None, site_id=None),
            "GET /workloads": lambda db: queries.workloads(
                db, 100, None, state=None, customer_id=None, site_id=None
            ),
        },
    ),
    Subject(
        {
            "placements": {"ended_at": "timestamptz '2020-01-02' + g * interval '30 s'"},
            "usage_collections": {
                "site_id": "'site-' || g / 1000",
                "customer_id": "'customer-' || g % 1000",
                "collected_until": "timestamptz '2030-01-01'",
            },
        },
        (
            (
                "placements",
                "of one workload",
                "SELECT * FROM analytics.placements WHERE workload_id = 'workload_id-77'",
            ),
            (
                "placements",
                "by model, all time",
                "SELECT gpu_model, count(*), sum(units) FROM analytics.placements "
                "GROUP BY gpu_model",
            ),
        ),
        {
            "GET /report: which hours are settled": lambda db: report_queries.settled_spans(
                db, None
            ),
        },
        shares={"usage_collections": 0.004},
    ),
    Subject(
        {
            "decisions": {
                "kind": "(ARRAY['placement', 'queueing', 'power_plan', 'curtailment'])[1 + g % 4]",
                "reason": "repeat('it earns more than what gives way to it; ', 4)",
                "alternatives": "(SELECT jsonb_agg(jsonb_build_object('label', 'unit-' || a, "
                "'value_usd_micros_per_hour', g + a)) FROM generate_series(1, 4) a)",
            }
        },
        (
            newest("decisions", "at", "decision_id"),
            day("decisions", "at"),
            (
                "decisions",
                "by kind, all time",
                "SELECT kind, count(*), sum(value_usd_per_hour) FROM analytics.decisions "
                "GROUP BY kind",
            ),
            (
                "decisions",
                "by kind, one day of all sites",
                "SELECT kind, count(*), avg(bound_usd_per_hour - value_usd_per_hour) "
                f"FROM analytics.decisions WHERE at BETWEEN {DAY} GROUP BY kind",
            ),
        ),
        {"GET /workloads/{id}/explain": lambda db: queries.decisions_about(db, "subject-7", 100)},
    ),
    Subject(
        {"power_plans": {}},
        (
            (
                "power_plans",
                "of one site, newest 100",
                "SELECT * FROM analytics.power_plans WHERE site_id = 'site-7' "
                "ORDER BY at DESC LIMIT 100",
            ),
            (
                "power_plans",
                "by trigger, all time",
                "SELECT trigger, count(*) FROM analytics.power_plans GROUP BY trigger",
            ),
        ),
    ),
    Subject(
        {"power_price_publications": {"settlement_point": "'HB_HUBAVG'"}},
        (
            newest("power_prices", "interval_start", "site_id"),
            day("power_prices", "interval_start"),
            (
                "power_prices",
                "mean of each site and month",
                "SELECT site_id, date_trunc('month', interval_start) AS month, "
                "avg(price_usd_per_mwh) FROM analytics.power_prices GROUP BY site_id, month",
            ),
        ),
    ),
    Subject(
        {"hash_price_publications": {}},
        (
            newest("hash_prices", "interval_start", "site_id"),
            day("hash_prices", "interval_start"),
        ),
    ),
    Subject(
        {
            # 20 sites with 10 feeders, every quarter of an hour
            "feeder_energy_readings": {
                "feeder_id": "'feeder-' || g / 20 % 10",
                **steps("2022-01-01", 200, "15 minutes"),
                "unit_ids": "ARRAY['unit-1', 'unit-2', 'unit-3']",
                "unit_energy_wh": "ARRAY[175, 875, 875]::bigint[]",
                "unit_work_th": "ARRAY[0, 45000, 45000]::bigint[]",
                "energy_wh": "1925",
                "mining_energy_wh": "1750",
                "work_th": "90000",
            },
            "power_price_publications": {
                "settlement_point": "'HB_HUBAVG'",
                **steps("2022-01-01", 20, "5 minutes"),
            },
            "hash_price_publications": steps("2022-01-01", 20, "1 hour"),
            "ai_revenue_hourly": {
                "hour": "timestamptz '2022-01-01' + (g / 20) * interval '1 hour'"
            },
            "site_ticks": {"site_id": "'site-' || g", "slot": "0", "offset": "999999999"},
        },
        (
            newest("unit_energy", "interval_start", "unit_id"),
            day("unit_energy", "interval_start"),
            day("feeder_energy_hourly", "hour"),
            (
                "feeder_energy_hourly",
                "all sites, all time",
                "SELECT site_id, sum(energy_mwh) FROM analytics.feeder_energy_hourly "
                "GROUP BY site_id",
            ),
            newest("site_pnl_hourly", "hour", "site_id"),
            day("site_pnl_hourly", "hour"),
            (
                "site_pnl_hourly",
                "one site, a month",
                "SELECT sum(profit_usd) FROM analytics.site_pnl_hourly WHERE site_id = 'site-7' "
                "AND hour >= '2022-06-01' AND hour < '2022-07-01'",
            ),
            (
                "site_pnl_hourly",
                "all sites, a month by day",
                "SELECT date_trunc('day', hour) AS day, site_id, sum(profit_usd) "
                "FROM analytics.site_pnl_hourly WHERE hour >= '2022-06-01' "
                "AND hour < '2022-07-01' GROUP BY day, site_id ORDER BY day, site_id",
            ),
            (
                "site_pnl_hourly",
                "all sites, all time",
                "SELECT site_id, sum(profit_usd) FROM analytics.site_pnl_hourly GROUP BY site_id",
            ),
        ),
        {
            "GET /report: which hours are settled": lambda db: report_queries.settled_spans(
                db, None
            ),
            "GET /report: profit of a month": lambda db: report_queries.profit(db, SITE, *MONTH),
            "GET /report: energy of a month": lambda db: report_queries.feeder_energy(
                db, SITE, *MONTH
            ),
            "GET /report: power prices of a month": lambda db: report_queries.power_price_steps(
                db, SITE, *MONTH
            ),
            "GET /report: hashprices of a month": lambda db: report_queries.hash_price_steps(
                db, SITE, *MONTH
            ),
            "GET /report: whether a price changed": lambda db: report_queries.prices_digest(
                db, SITE, MONTH[1]
            ),
            "GET /profitability": lambda db: money_queries.prices_in_force(db, None),
        },
        shares={
            "power_price_publications": 0.3,
            "hash_price_publications": 0.025,
            "ai_revenue_hourly": 0.025,
            "site_ticks": 0.000004,
        },
    ),
    Subject(
        {"curtailment_requests": {}},
        (
            day("curtailments", "starts_at"),
            (
                "curtailments",
                "one",
                "SELECT * FROM analytics.curtailments WHERE site_id = 'site-7' "
                "AND curtailment_id = 'curtailment_id-7'",
            ),
        ),
    ),
    Subject(
        {"alerts": {"cleared_at": "timestamptz '2020-01-01' + g * interval '31 s'"}},
        (
            newest("alerts", "raised_at", "alert_id"),
            day("alerts", "raised_at"),
            (
                "alerts",
                "by kind, one day of all sites",
                "SELECT kind, count(*) FROM analytics.alerts "
                f"WHERE raised_at BETWEEN {DAY} GROUP BY kind LIMIT 10",
            ),
        ),
        {
            "GET /alerts": lambda db: alert_queries.alerts(
                db, 100, None, site_id=None, active=None
            ),
            "GET /alerts?active=true": lambda db: alert_queries.alerts(
                db, 100, None, site_id=None, active=True
            ),
            "GET /alerts?site_id": lambda db: alert_queries.alerts(
                db, 100, None, site_id=SITE, active=None
            ),
        },
    ),
    Subject(
        {
            "site_configurations": {
                "site_id": "'site-' || g",
                "feeders": '\'[{"feeder_id": "feeder-1", "power_cap_w": 1000000}]\'::jsonb',
            },
            "site_ticks": {"site_id": "'site-' || g", "slot": "0"},
            "site_clock_corrections": {},
            "unit_registrations": {"unit_id": "'unit-' || g", "kind": "'asic'"},
            "unit_states": {
                "unit_id": "'unit-' || g",
                **dict.fromkeys(("failed_offset", "drained_offset", "degraded_offset"), "NULL"),
            },
            "customer_enrolments": {"customer_id": "'customer-' || g"},
            "contract_signatures": {"customer_id": "'customer-' || g"},
            "tariff_publications": {"customer_id": "'customer-' || g"},
        },
        (
            newest("clock_corrections", "corrected_at", "site_id"),
            ("sites", "all, with their planned power", "SELECT * FROM analytics.sites"),
            (
                "feeders",
                "of one site",
                "SELECT * FROM analytics.feeders WHERE site_id = 'site-7'",
            ),
            ("units", "of one site", "SELECT * FROM analytics.units WHERE site_id = 'site-7'"),
            (
                "units",
                "by model, all",
                "SELECT model, count(*), sum(power_w) FROM analytics.units GROUP BY model LIMIT 9",
            ),
            ("customers", "all", "SELECT * FROM analytics.customers"),
            ("contracts", "all", "SELECT * FROM analytics.contracts"),
            ("gpu_prices", "all", "SELECT * FROM analytics.gpu_prices"),
            ("freshness", "all", "SELECT * FROM analytics.freshness"),
        ),
        {
            "GET /capacity": lambda db: queries.capacity(db, None),
            "GET /sites": lambda db: queries.sites(db, 100, None),
            "GET /units": lambda db: queries.units(
                db, 100, None, site_id=SITE, feeder_id=None, kind=None, state=None
            ),
            "GET /profitability: unit models": lambda db: money_queries.unit_models(db, None),
            "GET /report: units that came and went": lambda db: report_queries.unit_changes(
                db, SITE
            ),
        },
        share=0.02,
        shares={
            "site_configurations": 0.000004,
            "site_ticks": 0.000004,
            "site_clock_corrections": 0.002,
        },
    ),
)
