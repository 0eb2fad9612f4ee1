"""The SQL behind prices, usage and invoices. Conventions as in queries.py."""

from __future__ import annotations

from datetime import datetime

from psycopg.sql import SQL

from gateway import queries
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
    at, site, point, last = after or (None, None, None, None)
    return await database.rows(
        SQL(
            """SELECT site_id, settlement_point, interval_start, interval_end, price_usd_per_mwh
               FROM power_prices {where}
               ORDER BY interval_start DESC, site_id DESC, settlement_point DESC, interval_end DESC
               LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("site_id = %(site_id)s", site_id),
                ("interval_start >= %(since)s", since),
                ("interval_start < %(until)s", until),
                (
                    """(interval_start, site_id, settlement_point, interval_end)
                       < (%(at)s::timestamptz, %(site)s, %(point)s, %(last)s::timestamptz)""",
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
            "point": point,
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
               SELECT price_usd_per_mwh FROM power_price_stretches(
                   s.site_id, s.now, s.now + interval '1 millisecond')) p ON true
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


async def waivable_until(database: Database, site_id: str) -> datetime | None:
    """What time it is at a site, by its own clock and what has passed since that was heard; when it
    was configured while that has not ticked. None when the site is not known."""
    row = await database.row(
        "SELECT now FROM site_times WHERE site_id = %(site_id)s", {"site_id": site_id}
    )
    return await queries.site_now(database, site_id) if row is None else row["now"]


async def customer_known(database: Database, customer_id: str) -> bool:
    """Enrolled, under contract, or with usage, which a contract follows in a moment."""
    row = await database.row(
        """SELECT 1 AS one WHERE EXISTS (
               SELECT FROM customer_enrolments WHERE customer_id = %(customer_id)s
           ) OR EXISTS (
               SELECT FROM contract_signatures WHERE customer_id = %(customer_id)s AND NOT rejected
           ) OR EXISTS (SELECT FROM usage WHERE customer_id = %(customer_id)s)""",
        {"customer_id": customer_id},
    )
    return row is not None


async def waivers(database: Database, limit: int, after: Key | None, *, site_id: str) -> list[Row]:
    """Newest first."""
    at, partition, last = after or (None, None, None)
    return await database.rows(
        SQL(
            """SELECT * FROM collection_waivers {where}
               ORDER BY waived_at DESC, partition DESC, "offset" DESC LIMIT %(limit)s + 1"""
        ).format(
            where=where(
                ("site_id = %(site_id)s", site_id),
                (
                    """(waived_at, partition, "offset")
                       < (%(at)s::timestamptz, %(partition)s::integer, %(last)s::bigint)""",
                    last,
                ),
            )
        ),
        {"site_id": site_id, "at": at, "partition": partition, "last": last, "limit": limit},
    )
