"""The SQL behind prices, usage, invoices and the report. Conventions as in queries.py."""

from __future__ import annotations

from datetime import datetime

from psycopg.sql import SQL

from gateway.database import Database, Row
from gateway.filtering import where
from gateway.pages import Key


async def power_prices(
    database: Database,
    limit: int,
    after: Key | None,
    *,
    site_id: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Row]:
    """Newest first."""
    at, site, last = after or (None, None, None)
    return await database.rows(
        SQL(
            """SELECT site_id, settlement_point, interval_start, interval_end, price_usd_per_mwh
               FROM power_prices {where}
               ORDER BY interval_start DESC, site_id DESC, settlement_point DESC
               LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("site_id = %(site_id)s", site_id),
                ("interval_start >= %(since)s", since),
                ("interval_start < %(until)s", until),
                (
                    """(interval_start, site_id, settlement_point)
                       < (%(at)s::timestamptz, %(site)s, %(last)s)""",
                    last,
                ),
            )
        ),
        {
            "site_id": site_id,
            "since": since,
            "until": until,
            "at": at,
            "site": site,
            "last": last,
            "limit": limit,
        },
    )


async def hash_prices(
    database: Database,
    limit: int,
    after: Key | None,
    *,
    site_id: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Row]:
    """Newest first."""
    at, last = after or (None, None)
    return await database.rows(
        SQL(
            """SELECT site_id, interval_start, hashprice_usd_per_ph_day, difficulty, fees_sats,
                      btc_price_usd
               FROM hash_prices {where}
               ORDER BY interval_start DESC, site_id DESC LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("site_id = %(site_id)s", site_id),
                ("interval_start >= %(since)s", since),
                ("interval_start < %(until)s", until),
                ("(interval_start, site_id) < (%(at)s::timestamptz, %(last)s)", last),
            )
        ),
        {
            "site_id": site_id,
            "since": since,
            "until": until,
            "at": at,
            "last": last,
            "limit": limit,
        },
    )


async def unit_models(database: Database, site_id: str | None) -> list[Row]:
    """One row for each site, model and set of modes."""
    return await database.rows(
        SQL(
            """SELECT site_id, kind, model, modes, count(*)::integer AS units FROM units {where}
               GROUP BY site_id, kind, model, modes ORDER BY site_id, kind, model, modes::text"""
        ).format(where=where(("site_id = %(site_id)s", site_id))),
        {"site_id": site_id},
    )


async def prices_in_force(database: Database, site_id: str | None) -> list[Row]:
    """By site: list prices of GPUs, and the power price and hashprice at the site's clock."""
    return await database.rows(
        """SELECT s.site_id, s.now, s.gpu_prices, p.price_usd_per_mwh, h.hashprice_usd_per_ph_day
           FROM sites s
           LEFT JOIN LATERAL (
               SELECT price_usd_per_mwh FROM power_prices p WHERE p.site_id = s.site_id
                 AND (s.now IS NULL OR p.interval_start <= s.now)
               ORDER BY interval_start DESC, settlement_point LIMIT 1) p ON true
           LEFT JOIN LATERAL (
               SELECT hashprice_usd_per_ph_day FROM hash_prices h WHERE h.site_id = s.site_id
                 AND (s.now IS NULL OR h.interval_start <= s.now)
               ORDER BY interval_start DESC LIMIT 1) h ON true
           WHERE %(site_id)s::text IS NULL OR s.site_id = %(site_id)s ORDER BY s.site_id""",
        {"site_id": site_id},
    )


async def usage(
    database: Database,
    limit: int,
    after: Key | None,
    *,
    customer_id: str | None,
    workload_id: str | None,
    site_id: str | None,
    since: datetime | None,
    until: datetime | None,
) -> list[Row]:
    """Newest first."""
    at, last = after or (None, None)
    return await database.rows(
        SQL(
            """SELECT * FROM usage {where}
               ORDER BY interval_start DESC, usage_id DESC LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("customer_id = %(customer_id)s", customer_id),
                ("workload_id = %(workload_id)s", workload_id),
                ("site_id = %(site_id)s", site_id),
                ("interval_start >= %(since)s", since),
                ("interval_start < %(until)s", until),
                ("(interval_start, usage_id) < (%(at)s::timestamptz, %(last)s)", last),
            )
        ),
        {
            "customer_id": customer_id,
            "workload_id": workload_id,
            "site_id": site_id,
            "since": since,
            "until": until,
            "at": at,
            "last": last,
            "limit": limit,
        },
    )


async def invoices(
    database: Database,
    limit: int,
    after: Key | None,
    *,
    customer_id: str | None,
    state: str | None,
) -> list[Row]:
    """Newest period first."""
    at, last = after or (None, None)
    return await database.rows(
        SQL(
            """SELECT * FROM invoices {where}
               ORDER BY period_start DESC, invoice_id DESC LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("customer_id = %(customer_id)s", customer_id),
                ("state = %(state)s", state),
                ("(period_start, invoice_id) < (%(at)s::timestamptz, %(last)s)", last),
            )
        ),
        {"customer_id": customer_id, "state": state, "at": at, "last": last, "limit": limit},
    )


async def invoice(database: Database, invoice_id: str) -> Row | None:
    return await database.row(
        "SELECT * FROM invoices WHERE invoice_id = %(invoice_id)s", {"invoice_id": invoice_id}
    )


async def invoice_lines(database: Database, invoice_id: str) -> list[Row]:
    """In the invoice's own order: line_id counts from 1."""
    return await database.rows(
        """SELECT * FROM invoice_lines WHERE invoice_id = %(invoice_id)s
           ORDER BY length(line_id), line_id""",
        {"invoice_id": invoice_id},
    )


# the report ---------------------------------------------------------------------------------------


async def settled_spans(database: Database, site_id: str | None) -> list[Row]:
    """By site, the hours whose money is complete: [start, until), after the first one.

    An hour is complete when the site's clock is an hour past its end (late meters are in), all its
    usage is rated, and no later hour of AI energy is still without any usage.
    """
    return await database.rows(
        """WITH energy AS (
               SELECT site_id, hour, sum(ai_energy_wh) AS ai_energy_wh FROM feeder_energy_hourly
               WHERE %(site_id)s::text IS NULL OR site_id = %(site_id)s GROUP BY site_id, hour
           ), hours AS (
               SELECT e.site_id, e.hour, e.ai_energy_wh, r.hour IS NOT NULL AS billed, s.now
               FROM energy e JOIN site_clocks s USING (site_id)
               LEFT JOIN ai_revenue_hourly r USING (site_id, hour)
           ), billed AS (
               SELECT site_id, max(hour) AS hour FROM hours WHERE billed GROUP BY site_id
           ), unbilled AS (
               SELECT h.site_id, min(h.hour) AS hour FROM hours h LEFT JOIN billed b USING (site_id)
               WHERE h.ai_energy_wh > 0 AND (b.hour IS NULL OR h.hour > b.hour)
               GROUP BY h.site_id
           ), unrated AS (
               SELECT site_id, date_trunc('hour', min(interval_start), 'UTC') AS hour FROM usage
               WHERE amount_usd_micros IS NULL GROUP BY site_id
           )
           SELECT h.site_id, min(h.hour) AS came_up, min(h.hour) + interval '1 hour' AS start,
                  max(h.hour) + interval '1 hour' AS until
           FROM hours h LEFT JOIN unbilled USING (site_id)
           LEFT JOIN unrated ON unrated.site_id = h.site_id
           WHERE h.hour + interval '2 hours' <= h.now
             AND (unbilled.hour IS NULL OR h.hour < unbilled.hour)
             AND (unrated.hour IS NULL OR h.hour < unrated.hour)
           GROUP BY h.site_id HAVING min(h.hour) < max(h.hour) ORDER BY h.site_id""",
        {"site_id": site_id},
    )


async def profit(database: Database, site_id: str, start: datetime, until: datetime) -> Row:
    row = await database.row(
        """SELECT coalesce(sum(ai_revenue_usd_micros), 0)::bigint AS ai_revenue,
                  coalesce(sum(mining_revenue_usd_micros), 0)::bigint AS mining_revenue,
                  coalesce(sum(power_cost_usd_micros), 0)::bigint AS power_cost
           FROM site_pnl_hourly
           WHERE site_id = %(site_id)s AND hour >= %(start)s AND hour < %(until)s""",
        {"site_id": site_id, "start": start, "until": until},
    )
    assert row is not None
    return row


async def feeder_energy(
    database: Database, site_id: str, start: datetime, until: datetime
) -> list[Row]:
    return await database.rows(
        """SELECT feeder_id, sum(energy_wh)::bigint AS energy_wh FROM feeder_energy_hourly
           WHERE site_id = %(site_id)s AND hour >= %(start)s AND hour < %(until)s
           GROUP BY feeder_id ORDER BY feeder_id""",
        {"site_id": site_id, "start": start, "until": until},
    )


async def workload_counts(database: Database, site_id: str | None) -> Row:
    row = await database.row(
        """SELECT count(*) AS submitted, count(*) FILTER (WHERE attempt > 0) AS placed,
                  count(*) FILTER (WHERE state = 'queued') AS queued,
                  count(*) FILTER (WHERE state = 'switching') AS switching,
                  count(*) FILTER (WHERE state = 'running') AS running,
                  count(*) FILTER (WHERE state = 'completed') AS completed,
                  count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
                  count(*) FILTER (WHERE state = 'failed') AS failed,
                  count(*) FILTER (WHERE state = 'rejected') AS rejected
           FROM workloads WHERE %(site_id)s::text IS NULL OR site_id = %(site_id)s""",
        {"site_id": site_id},
    )
    assert row is not None
    return row


async def invoice_counts(database: Database) -> Row:
    row = await database.row(
        """SELECT count(*) FILTER (WHERE state = 'drafted') AS drafted,
                  count(*) FILTER (WHERE state = 'finalized') AS finalized,
                  coalesce(sum(total_usd_micros), 0)::bigint AS total FROM invoices"""
    )
    assert row is not None
    return row


async def unit_groups(database: Database, site_id: str) -> list[Row]:
    """Equal units on one feeder, with their mode of most power."""
    return await database.rows(
        """SELECT feeder_id, kind, model, power_w, hashrate_ths, count(*)::integer AS count
           FROM (
               SELECT u.feeder_id, u.kind, u.model, m.power_w, m.hashrate_ths
               FROM units u CROSS JOIN LATERAL (
                   SELECT (offered ->> 'power_w')::bigint AS power_w,
                          (offered ->> 'hashrate_ths')::bigint AS hashrate_ths
                   FROM jsonb_array_elements(u.modes) AS offered
                   ORDER BY (offered ->> 'power_w')::bigint DESC LIMIT 1
               ) m WHERE u.site_id = %(site_id)s
           ) unit GROUP BY feeder_id, kind, model, power_w, hashrate_ths
           ORDER BY feeder_id, kind, model, power_w, hashrate_ths""",
        {"site_id": site_id},
    )


async def power_price_steps(database: Database, site_id: str, until: datetime) -> list[Row]:
    """Where several settlement points were published, the first by name, as for the actuals."""
    return await database.rows(
        """SELECT DISTINCT ON (interval_start) interval_start, price_usd_per_mwh
           FROM power_prices WHERE site_id = %(site_id)s AND interval_start < %(until)s
           ORDER BY interval_start, settlement_point""",
        {"site_id": site_id, "until": until},
    )


async def hash_price_steps(database: Database, site_id: str, until: datetime) -> list[Row]:
    return await database.rows(
        """SELECT interval_start, hashprice_usd_per_ph_day FROM hash_prices
           WHERE site_id = %(site_id)s AND interval_start < %(until)s ORDER BY interval_start""",
        {"site_id": site_id, "until": until},
    )


async def curtailment_spans(database: Database, site_id: str, until: datetime) -> list[Row]:
    return await database.rows(
        """SELECT starts_at, least(ends_at, lifted_at) AS ends_at, max_power_w FROM curtailments
           WHERE site_id = %(site_id)s AND starts_at < %(until)s ORDER BY starts_at""",
        {"site_id": site_id, "until": until},
    )


async def submissions(database: Database, site_id: str, until: datetime) -> list[Row]:
    return await database.rows(
        """SELECT workload_id, customer_id, submitted_at, gpu_model, gpu_count, gpu_milli,
                  duration_s, max_price_usd_per_gpu_hour, state, started_at, ended_at
           FROM workloads
           WHERE site_id = %(site_id)s AND state <> 'rejected' AND submitted_at < %(until)s
           ORDER BY submitted_at, workload_id""",
        {"site_id": site_id, "until": until},
    )


async def newest_tariffs(database: Database) -> list[Row]:
    """By customer, the tariff of the newest contract."""
    return await database.rows(
        """SELECT DISTINCT ON (c.customer_id) c.customer_id, t.gpu_prices, t.energy_pass_through,
                  t.energy_adder_usd_per_mwh
           FROM contracts c JOIN tariffs t
             ON t.customer_id = c.customer_id AND t.tariff_id = c.tariff_id
           ORDER BY c.customer_id, c.starts_at DESC, c.signed_at DESC, c.contract_id"""
    )
