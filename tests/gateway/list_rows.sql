-- Rows for every list. `rows` numbers them; start and step are times. {units}: of these, units.

INSERT INTO workloads (workload_id, site_id, customer_id, name, kind, gpu_count, gpu_milli, duration_s,
    priority, preemptible, state, reason, detail, units, attempt, submitted_at, queued_at, queue_offset)
SELECT 'w' || i, 's' || i % 3, 'c' || i % 10, '', 'batch', 1, 1000, 60, i % 7, true,
    CASE WHEN i % 5 = 0 THEN 'queued' ELSE 'completed' END, '', '', '{}', 1, start + i * step, start, i
FROM rows;
INSERT INTO workload_events SELECT 'w1', 'hcp.sites.v1', 0, i, 'e', 't', start, '{}' FROM rows;
INSERT INTO unit_registrations (partition, "offset", site_id, unit_id, registered_at, feeder_id, kind,
    model, memory_gb, modes, hashrate_ths, tflops)
SELECT 0, i, 's' || i % 3, 'u' || lpad(i::text, 6, '0'), start, 'f', 'gpu', 'H100', 80, '[]', 0, 1
FROM rows WHERE i <= {units};
INSERT INTO unit_states (site_id, unit_id, mode, power_w, detail, detail_offset, updated_at)
SELECT site_id, unit_id, 'off', 0, '', 0, registered_at FROM unit_registrations;
INSERT INTO placements (site_id, placement_id, workload_id, customer_id, gpu_model, attempt, unit_ids,
    unit_gpu_milli, unit_power_w, price_usd_per_gpu_hour, decision_id, placed_at, ended_at)
SELECT 's' || i % 3, 'p' || i, 'w' || i, 'c', 'H100', 1, ARRAY['u' || lpad(i::text, 6, '0')], '{1000}',
    '{700}', 2, 'd', start, CASE WHEN i > {units} / 2 THEN start END FROM rows;
INSERT INTO power_price_publications (partition, "offset", site_id, settlement_point, interval_start,
    interval_end, price_usd_per_mwh)
SELECT 0, i, 's' || i % 3, 'HB', start + i / 3 * step, start + (i / 3 + 1) * step, 30 FROM rows;
INSERT INTO hash_price_publications (partition, "offset", site_id, interval_start,
    hashprice_usd_per_ph_day, difficulty, fees_sats, btc_price_usd)
SELECT 0, i, 's' || i % 3, start + i / 3 * step, 38, 1, 1, 1 FROM rows;
INSERT INTO curtailment_requests (partition, "offset", site_id, curtailment_id, max_power_w, starts_at,
    ends_at, reason, requested_at)
SELECT 0, i, 's' || i % 3, 'k' || i, 1, start + i * step, start + (i + 1) * step, '', start FROM rows;
INSERT INTO collection_waivers (partition, "offset", customer_id, site_id, waived_until, waived_by,
    reason, waived_at, rejected)
SELECT 0, i, 'c' || i % 10, 's' || i % 3, start, 'o', '', start + i * step, false FROM rows;
INSERT INTO alerts SELECT 'a' || i, 's' || i % 3, 'k', 'warning', NULL, '', start + i * step,
    CASE WHEN i % 100 > 0 THEN start END FROM rows;
INSERT INTO dead_letters (dead_letter_id, topic, partition, "offset", reader, reason, detail, refused_at,
    recorded_at_ms, key_bytes, value_bytes, headers, header_count)
SELECT 'd' || i, 't' || i % 3, 0, i, 'r' || i % 5, (ARRAY['forged', 'malformed_body', 'wrong_key', 'stray_key'])[1 + i % 4], '', start + i * step, 0, 0, 0, '[]', 0 FROM rows;
INSERT INTO decisions (decision_id, site_id, at, agent, policy_version, kind, subject, chosen, reason,
    alternatives, value_usd_micros_per_hour)
SELECT 'd' || i, 's', start + i * step, 'routing', '1', 'queueing', 'w' || i % 3, '', '', '[]', 1 FROM rows;
INSERT INTO usage (usage_id, customer_id, site_id, workload_id, placement_id, meter, gpu_model,
    interval_start, interval_end, quantity, unit, state, partition, "offset")
SELECT 'u' || i, 'c' || i % 10, 's' || i % 3, 'w' || i % 50, 'p', 'gpu_time', 'H100', start + i * step,
    start + (i + 1) * step, 1, 'gpu_us', 'rated', 0, i FROM rows;
INSERT INTO invoices (invoice_id, number, customer_id, contract_id, period_start, period_end, currency,
    state, total_usd_micros, drafted_at)
SELECT 'i' || i, '', 'c' || i % 10, 'k', start + i * step, start + (i + 1) * step, 'USD',
    CASE WHEN i % 100 = 0 THEN 'drafted' ELSE 'finalized' END, 1, start FROM rows;
