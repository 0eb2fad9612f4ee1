"""The SQL behind the report: what is settled, what it came to, what the naive policies are told.

Conventions as in queries.py.
"""

from __future__ import annotations

from datetime import datetime

from gateway.database import Database, Row


async def settled_spans(database: Database, site_id: str | None) -> list[Row]:
    """By site, the hours whose money is settled: [start, until), after the first one.

    An hour is settled when the site's clock is an hour past its end (late meters are in), metering
    has told every customer who held units in it that this was all, and invoicing has answered each
    usage of it, with an amount or a refusal. Energy that no usage explains holds nothing up: GPUs
    draw power when they idle.
    """
    return await database.rows(
        """WITH hours AS (
               SELECT site_id, hour FROM site_energy_hours
               WHERE %(site_id)s::text IS NULL OR site_id = %(site_id)s
           ), open AS (
               SELECT p.site_id,
                      date_trunc('hour', greatest(p.placed_at, c.collected_until), 'UTC') AS hour
               FROM placements p LEFT JOIN usage_collections c USING (site_id, customer_id)
               WHERE p.ended_at IS NULL OR c.collected_until IS NULL
                  OR p.ended_at > c.collected_until
               UNION ALL
               SELECT site_id, date_trunc('hour', interval_start, 'UTC') FROM usage
               WHERE state = 'recorded'
           ), first_open AS (
               SELECT site_id, min(hour) AS hour FROM open GROUP BY site_id
           )
           SELECT h.site_id, min(h.hour) AS came_up, min(h.hour) + interval '1 hour' AS start,
                  max(h.hour) + interval '1 hour' AS until
           FROM hours h JOIN site_clocks s USING (site_id)
           LEFT JOIN first_open o ON o.site_id = h.site_id
           WHERE h.hour + interval '2 hours' <= s.now AND (o.hour IS NULL OR h.hour < o.hour)
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
        """SELECT feeder_id, sum(energy_wh)::bigint AS energy_wh,
                  sum(ai_energy_wh)::bigint AS ai_energy_wh,
                  sum(mining_energy_wh)::bigint AS mining_energy_wh
           FROM feeder_energy_hourly
           WHERE site_id = %(site_id)s AND hour >= %(start)s AND hour < %(until)s
           GROUP BY feeder_id ORDER BY feeder_id""",
        {"site_id": site_id, "start": start, "until": until},
    )


async def billed_energy(database: Database, site_id: str, start: datetime, until: datetime) -> int:
    """Watt-hours that rated usage accounts for."""
    row = await database.row(
        """SELECT coalesce(sum(energy_wh), 0)::bigint AS energy_wh FROM ai_revenue_hourly
           WHERE site_id = %(site_id)s AND hour >= %(start)s AND hour < %(until)s""",
        {"site_id": site_id, "start": start, "until": until},
    )
    return row["energy_wh"] if row else 0


async def refused_usage(
    database: Database, site_id: str, start: datetime, until: datetime
) -> list[Row]:
    return await database.rows(
        """SELECT site_id, reason, count(*)::integer AS count FROM usage
           WHERE state IN ('refused', 'held') AND site_id = %(site_id)s
             AND interval_start >= %(start)s AND interval_start < %(until)s
           GROUP BY site_id, reason ORDER BY reason""",
        {"site_id": site_id, "start": start, "until": until},
    )


async def billing_differences(
    database: Database, site_id: str, start: datetime, until: datetime
) -> list[Row]:
    return await database.rows(
        """SELECT site_id, reason, count(*)::integer AS count,
                  coalesce(sum(energy_wh), 0)::bigint AS energy_wh,
                  coalesce(sum(difference_usd_micros), 0)::bigint AS difference_usd_micros
           FROM billing_differences
           WHERE site_id = %(site_id)s
             AND interval_start >= %(start)s AND interval_start < %(until)s
           GROUP BY site_id, reason ORDER BY reason""",
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


# what the naive policies are told -----------------------------------------------------------------


async def read_models_agree(database: Database) -> bool:
    """Whether all that is told below is as of one place in each log: no rebuild is under way."""
    row = await database.row(
        """SELECT NOT EXISTS (
               SELECT FROM projection_positions
               WHERE read_model IN ('sites', 'units', 'workloads', 'curtailments', 'prices',
                                    'energy', 'usage', 'customers')
               GROUP BY topic, partition HAVING min(next_offset) <> max(next_offset)) AS agree"""
    )
    return row is not None and row["agree"]


async def unit_changes(database: Database, site_id: str) -> list[Row]:
    """Equal units, with their mode of most power, and when they came or, registered anew, went."""
    return await database.rows(
        """WITH registered AS (
               SELECT u.unit_id, u."offset", u.feeder_id, u.kind, u.model, m.power_w,
                      m.hashrate_ths, site_time(u.site_id, u."offset", u.registered_at) AS since
               FROM unit_registrations u CROSS JOIN LATERAL (
                   SELECT (offered ->> 'power_w')::bigint AS power_w,
                          (offered ->> 'hashrate_ths')::bigint AS hashrate_ths
                   FROM jsonb_array_elements(u.modes) AS offered
                   ORDER BY (offered ->> 'power_w')::bigint DESC LIMIT 1
               ) m WHERE u.site_id = %(site_id)s AND NOT u.rejected
           ), spans AS (
               SELECT *, lead(since) OVER (PARTITION BY unit_id ORDER BY "offset") AS until
               FROM registered
           ), changes AS (
               SELECT since AS at, feeder_id, kind, model, power_w, hashrate_ths, 1 AS change
               FROM spans
               UNION ALL
               SELECT until, feeder_id, kind, model, power_w, hashrate_ths, -1 FROM spans
               WHERE until IS NOT NULL
           )
           SELECT at, feeder_id, kind, model, power_w, hashrate_ths, sum(change)::integer AS count
           FROM changes WHERE power_w > 0 AND (kind = 'gpu' OR hashrate_ths > 0)
           GROUP BY at, feeder_id, kind, model, power_w, hashrate_ths HAVING sum(change) <> 0
           ORDER BY at, feeder_id, kind, model, power_w, hashrate_ths""",
        {"site_id": site_id},
    )


async def configurations(database: Database, site_id: str) -> list[Row]:
    return await database.rows(
        """SELECT site_time(site_id, "offset", configured_at) AS at, power_cap_w, feeders,
                  gpu_prices
           FROM site_configurations WHERE site_id = %(site_id)s AND NOT rejected
           ORDER BY "offset" """,
        {"site_id": site_id},
    )


async def curtailment_spans(database: Database, site_id: str) -> list[Row]:
    """None begins before it was asked for."""
    return await database.rows(
        """SELECT greatest(starts_at, site_time(site_id, "offset", requested_at)) AS starts_at,
                  least(ends_at, lifted_at) AS ends_at, max_power_w
           FROM curtailments WHERE site_id = %(site_id)s ORDER BY "offset" """,
        {"site_id": site_id},
    )


async def contracts(database: Database) -> list[Row]:
    """With their tariffs; what invoicing refused is in neither view."""
    return await database.rows(
        """SELECT c.customer_id, c.contract_id, c.starts_at, t.tariff_id, t.gpu_prices,
                  t.energy_pass_through, t.energy_adder_usd_per_mwh
           FROM contracts c JOIN tariffs t USING (customer_id, tariff_id)"""
    )


async def power_price_steps(
    database: Database, site_id: str, start: datetime, until: datetime
) -> list[Row]:
    """What is in force from `start` on, by the rule of the actuals; null: none."""
    return await database.rows(
        """SELECT starts_at, price_usd_per_mwh
           FROM power_price_stretches(%(site_id)s, %(start)s, %(until)s) ORDER BY starts_at""",
        {"site_id": site_id, "start": start, "until": until},
    )


async def hash_price_steps(
    database: Database, site_id: str, start: datetime, until: datetime
) -> list[Row]:
    return await database.rows(
        """SELECT interval_start, hashprice_usd_per_ph_day FROM hash_prices
           WHERE site_id = %(site_id)s AND interval_start < %(until)s
             AND interval_start >= coalesce(
               (SELECT max(interval_start) FROM hash_price_publications
                WHERE site_id = %(site_id)s AND interval_start <= %(start)s AND NOT rejected),
               %(start)s)
           ORDER BY interval_start""",
        {"site_id": site_id, "start": start, "until": until},
    )


async def prices_digest(database: Database, site_id: str, until: datetime) -> Row:
    """Another one when a price before `until` is another."""
    row = await database.row(
        """SELECT (SELECT md5(string_agg(p::text, '' ORDER BY interval_start, settlement_point))
                   FROM power_prices p
                   WHERE site_id = %(site_id)s AND interval_start < %(until)s) AS power,
                  (SELECT md5(string_agg(h::text, '' ORDER BY interval_start))
                   FROM hash_prices h
                   WHERE site_id = %(site_id)s AND interval_start < %(until)s) AS hash""",
        {"site_id": site_id, "until": until},
    )
    assert row is not None
    return row


async def queued_jobs(
    database: Database, site_id: str, since: datetime, start: datetime, until: datetime
) -> list[Row]:
    """Queued since then, and not over before `start`. What routing refused was never queued."""
    return await database.rows(
        """SELECT queued_at, workload_id, customer_id, gpu_model, gpu_count, gpu_milli, duration_s,
                  max_price_usd_per_gpu_hour
           FROM workloads
           WHERE site_id = %(site_id)s AND queued_at >= %(since)s AND queued_at < %(until)s
             AND (ended_at IS NULL OR ended_at >= %(start)s)
           ORDER BY queued_at, workload_id""",
        {"site_id": site_id, "since": since, "start": start, "until": until},
    )


async def ended_jobs(
    database: Database, site_id: str, start: datetime, until: datetime
) -> list[Row]:
    """Cancelled, rejected after they had waited, or what they ran in the end. One that failed
    without running says nothing."""
    return await database.rows(
        """SELECT ended_at, workload_id, state, started_at FROM workloads
           WHERE site_id = %(site_id)s AND ended_at >= %(start)s AND ended_at < %(until)s
             AND queued_at IS NOT NULL
             AND (state IN ('cancelled', 'rejected')
                  OR state IN ('completed', 'failed') AND started_at IS NOT NULL)
           ORDER BY ended_at, workload_id""",
        {"site_id": site_id, "start": start, "until": until},
    )
