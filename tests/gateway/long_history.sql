-- The tables of the read models as the projections leave them after {days} days and {jobs} workloads.
INSERT INTO site_ticks VALUES ('long', 0, 0, 999999, timestamptz '2024-01-01' + {days} * interval '1 day', false);
INSERT INTO site_configurations VALUES (0, 1, 'long', '2024-01-01', 'Long', 'default', 200000,
    '[{"feeder_id": "a", "power_cap_w": 60000}, {"feeder_id": "b", "power_cap_w": 60000}]',
    '[{"gpu_model": "H100", "price_usd_per_gpu_hour": "2.35"},
      {"gpu_model": "A100", "price_usd_per_gpu_hour": "1.29"}]', false);
INSERT INTO unit_registrations
SELECT 0, 10 + n, 'long', 'u' || n, '2024-01-01', CASE n % 2 WHEN 0 THEN 'a' ELSE 'b' END,
       CASE WHEN n < 30 THEN 'asic' ELSE 'gpu' END,
       CASE WHEN n < 30 THEN 'S21' WHEN n % 3 = 0 THEN 'A100' ELSE 'H100' END, 80,
       CASE WHEN n < 30 THEN '[{"mode": "mine", "power_w": 3500, "hashrate_ths": 200}]'
            WHEN n % 3 = 0 THEN '[{"mode": "compute", "power_w": 400, "hashrate_ths": 0}]'
            ELSE '[{"mode": "compute", "power_w": 700, "hashrate_ths": 0}]' END::jsonb, 200, 0, false
FROM generate_series(0, 69) n;
INSERT INTO power_price_publications
SELECT 0, 1000 + n, 'long', 'HB', t, t + interval '15 minutes', n * 37 % 200, false
FROM generate_series(0, {days} * 96) n, LATERAL (SELECT timestamptz '2024-01-01' + n * interval '15 minutes' AS t) at;
INSERT INTO hash_price_publications
SELECT 0, 500000 + n, 'long', timestamptz '2024-01-01' + n * interval '1 hour', 38 + n % 5, 1, 1, 1, false
FROM generate_series(0, {days} * 24) n;
INSERT INTO feeder_energy_readings
SELECT 0, 100000 + 2 * n + f, 'long', CASE f WHEN 0 THEN 'a' ELSE 'b' END, t, t + interval '15 minutes',
       '{}', '{}', '{}', 12000, 2000000, 9000, false
FROM generate_series(0, {days} * 96 - 1) n, generate_series(0, 1) f,
     LATERAL (SELECT timestamptz '2024-01-01' + n * interval '15 minutes' AS t) at;
INSERT INTO workloads
SELECT 'w' || n, 'long', NULL, 'c' || n % 20, 'job', 'batch',
       CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN 'A100' ELSE 'H100' END,
       CASE n % 3 WHEN 0 THEN 1 ELSE 1 + n % 8 END, CASE n % 3 WHEN 0 THEN 50 + n % 90 * 10 ELSE 1000 END,
       900, 0, false, NULL, NULL, 'completed', '', '', '{}', 'H100', 'p' || n, 1,
       t, t, n, t, t, t + (300 + n * 131 % 1500) * interval '1 second', 2.35, 'd'
FROM generate_series(1, {jobs}) n,
     LATERAL (SELECT timestamptz '2024-01-01' + n * ({days} * interval '1 day' / {jobs}) AS t) at;
INSERT INTO placements
SELECT site_id, placement_id, workload_id, customer_id, 'H100', 1, '{}', '{}', '{}', 2.35, 'd', placed_at, ended_at, ''
FROM workloads;
INSERT INTO usage_collections SELECT DISTINCT 'long', customer_id, timestamptz '2025-01-01' FROM workloads;
INSERT INTO ai_revenue_hourly
SELECT 'long', timestamptz '2024-01-01' + n * interval '1 hour', 30000000, 10000
FROM generate_series(0, {days} * 24 - 1) n;
ANALYZE;
SELECT rollups.roll_up(1000000);
ANALYZE rollups.feeder_hours, rollups.site_hours;
