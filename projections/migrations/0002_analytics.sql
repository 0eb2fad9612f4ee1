-- What analysts query: documented views in dollars and MWh (who may read them: ../analysts.sql).
-- Nothing here computes what an agent computed; units change, values do not.

CREATE SCHEMA analytics;
COMMENT ON SCHEMA analytics IS 'Documented views for analysts: dollars, MW, MWh, UTC.';

CREATE VIEW analytics.sites AS
SELECT
    site_id,
    name,
    pool,
    now,
    power_cap_w * 0.000001 AS power_cap_mw,
    planned_power_w * 0.000001 AS planned_power_mw,
    ai_power_w * 0.000001 AS ai_power_mw,
    mining_power_w * 0.000001 AS mining_power_mw
FROM public.sites;
COMMENT ON VIEW analytics.sites IS 'Every site as it is now.';
COMMENT ON COLUMN analytics.sites.site_id IS 'The site';
COMMENT ON COLUMN analytics.sites.name IS 'Its name';
COMMENT ON COLUMN analytics.sites.pool IS 'The pool whose submissions it serves';
COMMENT ON COLUMN analytics.sites.now IS 'The site''s clock: event time up to which it is known';
COMMENT ON COLUMN analytics.sites.power_cap_mw IS 'Most power that may be planned, MW';
COMMENT ON COLUMN analytics.sites.planned_power_mw IS 'Power planned now, MW';
COMMENT ON COLUMN analytics.sites.ai_power_mw IS 'Of it for GPUs, MW';
COMMENT ON COLUMN analytics.sites.mining_power_mw IS 'Of it for ASICs, MW';

CREATE VIEW analytics.feeders AS
SELECT
    site_id,
    feeder_id,
    power_cap_w * 0.000001 AS power_cap_mw,
    planned_power_w * 0.000001 AS planned_power_mw,
    ai_power_w * 0.000001 AS ai_power_mw,
    mining_power_w * 0.000001 AS mining_power_mw,
    shadow_price_usd_per_mwh
FROM public.feeders;
COMMENT ON VIEW analytics.feeders IS 'Every electrical feeder as it is now.';
COMMENT ON COLUMN analytics.feeders.site_id IS 'The site';
COMMENT ON COLUMN analytics.feeders.feeder_id IS 'The feeder';
COMMENT ON COLUMN analytics.feeders.power_cap_mw IS 'Most power that may be planned, MW';
COMMENT ON COLUMN analytics.feeders.planned_power_mw IS 'Power planned now, MW';
COMMENT ON COLUMN analytics.feeders.ai_power_mw IS 'Of it for GPUs, MW';
COMMENT ON COLUMN analytics.feeders.mining_power_mw IS 'Of it for ASICs, MW';
COMMENT ON COLUMN analytics.feeders.shadow_price_usd_per_mwh IS 'What one more MWh through it would earn, by the newest plan applied; null before the first';

CREATE VIEW analytics.units AS
SELECT
    site_id,
    unit_id,
    feeder_id,
    kind,
    model,
    mode,
    state,
    power_w,
    hashrate_ths,
    tflops,
    cardinality(workload_ids) AS workloads,
    used_gpu_milli * 0.001 AS used_share
FROM public.units;
COMMENT ON VIEW analytics.units IS 'Every GPU and ASIC as it is now.';
COMMENT ON COLUMN analytics.units.site_id IS 'The site';
COMMENT ON COLUMN analytics.units.unit_id IS 'The unit, unique on its site';
COMMENT ON COLUMN analytics.units.feeder_id IS 'The feeder it draws from';
COMMENT ON COLUMN analytics.units.kind IS 'gpu or asic';
COMMENT ON COLUMN analytics.units.model IS 'For example H100 or S21';
COMMENT ON COLUMN analytics.units.mode IS 'What it does now; off draws nothing';
COMMENT ON COLUMN analytics.units.state IS 'ok, degraded, drained (takes nothing new) or failed';
COMMENT ON COLUMN analytics.units.power_w IS 'Power planned for it now, W';
COMMENT ON COLUMN analytics.units.hashrate_ths IS 'Hashrate of its fastest mode, TH/s; 0 for a GPU';
COMMENT ON COLUMN analytics.units.tflops IS 'Dense BF16 of its fastest mode, TFLOPS; 0 for an ASIC';
COMMENT ON COLUMN analytics.units.workloads IS 'Workloads on it now';
COMMENT ON COLUMN analytics.units.used_share IS 'Part of the GPU given to workloads, 0 to 1';

CREATE VIEW analytics.workloads AS
SELECT
    workload_id,
    site_id,
    customer_id,
    name,
    kind,
    gpu_model,
    placed_gpu_model,
    gpu_count,
    gpu_milli * 0.001 AS gpu_share,
    duration_s,
    priority,
    state,
    reason,
    attempt,
    submitted_at,
    placed_at,
    started_at,
    ended_at,
    extract(epoch FROM placed_at - submitted_at) AS wait_s,
    price_usd_per_gpu_hour,
    decision_id
FROM public.workloads;
COMMENT ON VIEW analytics.workloads IS 'Every workload ever submitted, and where it stands.';
COMMENT ON COLUMN analytics.workloads.workload_id IS 'The workload';
COMMENT ON COLUMN analytics.workloads.site_id IS 'Its site; null while no site has it';
COMMENT ON COLUMN analytics.workloads.customer_id IS 'Who pays';
COMMENT ON COLUMN analytics.workloads.name IS 'Its name, as submitted';
COMMENT ON COLUMN analytics.workloads.kind IS 'training, inference, batch or interactive';
COMMENT ON COLUMN analytics.workloads.gpu_model IS 'The model asked for; null for any';
COMMENT ON COLUMN analytics.workloads.placed_gpu_model IS 'The model it got';
COMMENT ON COLUMN analytics.workloads.gpu_count IS 'GPUs asked for';
COMMENT ON COLUMN analytics.workloads.gpu_share IS 'Part of each GPU, 0 to 1';
COMMENT ON COLUMN analytics.workloads.duration_s IS 'Expected run time, seconds';
COMMENT ON COLUMN analytics.workloads.priority IS 'Higher is more urgent';
COMMENT ON COLUMN analytics.workloads.state IS 'queued, switching, running, completed, cancelled, failed or rejected';
COMMENT ON COLUMN analytics.workloads.reason IS 'Why it is in this state, where there is more to say';
COMMENT ON COLUMN analytics.workloads.attempt IS 'Which placement it is on; 0 before the first';
COMMENT ON COLUMN analytics.workloads.submitted_at IS 'When it was submitted';
COMMENT ON COLUMN analytics.workloads.placed_at IS 'When it last got units';
COMMENT ON COLUMN analytics.workloads.started_at IS 'When it last began to run';
COMMENT ON COLUMN analytics.workloads.ended_at IS 'When it was completed, cancelled, failed or rejected';
COMMENT ON COLUMN analytics.workloads.wait_s IS 'Seconds from submission to its last placement';
COMMENT ON COLUMN analytics.workloads.price_usd_per_gpu_hour IS 'List price when placed, dollars';
COMMENT ON COLUMN analytics.workloads.decision_id IS 'Why it was placed: analytics.decisions';

CREATE VIEW analytics.queue AS
SELECT
    site_id,
    queue_position,
    workload_id,
    customer_id,
    gpu_model,
    gpu_count,
    priority,
    submitted_at,
    reason
FROM public.queue;
COMMENT ON VIEW analytics.queue IS 'Workloads that wait for units, in the order they will be looked at.';
COMMENT ON COLUMN analytics.queue.site_id IS 'The site';
COMMENT ON COLUMN analytics.queue.queue_position IS 'Place in the site''s queue, from 1';
COMMENT ON COLUMN analytics.queue.workload_id IS 'The workload';
COMMENT ON COLUMN analytics.queue.customer_id IS 'Who pays';
COMMENT ON COLUMN analytics.queue.gpu_model IS 'The model asked for; null for any';
COMMENT ON COLUMN analytics.queue.gpu_count IS 'GPUs asked for';
COMMENT ON COLUMN analytics.queue.priority IS 'Higher is more urgent';
COMMENT ON COLUMN analytics.queue.submitted_at IS 'When it was submitted';
COMMENT ON COLUMN analytics.queue.reason IS 'Why it waits';

CREATE VIEW analytics.placements AS
SELECT
    site_id,
    placement_id,
    workload_id,
    customer_id,
    gpu_model,
    cardinality(unit_ids) AS units,
    attempt,
    placed_at,
    ended_at,
    end_reason,
    price_usd_per_gpu_hour,
    decision_id
FROM public.placements;
COMMENT ON VIEW analytics.placements IS 'Every placement of a workload on units, open or ended.';
COMMENT ON COLUMN analytics.placements.site_id IS 'The site';
COMMENT ON COLUMN analytics.placements.placement_id IS 'The placement';
COMMENT ON COLUMN analytics.placements.workload_id IS 'The workload';
COMMENT ON COLUMN analytics.placements.customer_id IS 'Who pays';
COMMENT ON COLUMN analytics.placements.gpu_model IS 'The model it got';
COMMENT ON COLUMN analytics.placements.units IS 'Number of GPUs';
COMMENT ON COLUMN analytics.placements.attempt IS '1 for a workload''s first';
COMMENT ON COLUMN analytics.placements.placed_at IS 'From';
COMMENT ON COLUMN analytics.placements.ended_at IS 'To; null while it holds its units';
COMMENT ON COLUMN analytics.placements.end_reason IS 'completed, cancelled, failed, or why it was queued again';
COMMENT ON COLUMN analytics.placements.price_usd_per_gpu_hour IS 'List price, dollars';
COMMENT ON COLUMN analytics.placements.decision_id IS 'Why: analytics.decisions';

CREATE VIEW analytics.decisions AS
SELECT
    decision_id,
    site_id,
    at,
    agent,
    policy_version,
    kind,
    subject,
    chosen,
    reason,
    jsonb_array_length(alternatives) AS alternatives,
    value_usd_micros_per_hour * 0.000001 AS value_usd_per_hour,
    bound_usd_micros_per_hour * 0.000001 AS bound_usd_per_hour,
    power_price_usd_per_mwh,
    hashprice_usd_per_ph_day
FROM public.decisions;
COMMENT ON VIEW analytics.decisions IS 'Every decision an agent explained.';
COMMENT ON COLUMN analytics.decisions.decision_id IS 'The decision';
COMMENT ON COLUMN analytics.decisions.site_id IS 'The site';
COMMENT ON COLUMN analytics.decisions.at IS 'When, on the site''s clock';
COMMENT ON COLUMN analytics.decisions.agent IS 'Who decided';
COMMENT ON COLUMN analytics.decisions.policy_version IS 'The rules it used';
COMMENT ON COLUMN analytics.decisions.kind IS 'placement, queueing, requeueing, power_plan, curtailment or cap';
COMMENT ON COLUMN analytics.decisions.subject IS 'The workload, plan or curtailment';
COMMENT ON COLUMN analytics.decisions.chosen IS 'What was chosen';
COMMENT ON COLUMN analytics.decisions.reason IS 'Why, in a sentence';
COMMENT ON COLUMN analytics.decisions.alternatives IS 'How many alternatives were considered';
COMMENT ON COLUMN analytics.decisions.value_usd_per_hour IS 'What was chosen earns, dollars an hour';
COMMENT ON COLUMN analytics.decisions.bound_usd_per_hour IS 'No decision could have earned more, dollars an hour; null where no bound is known';
COMMENT ON COLUMN analytics.decisions.power_price_usd_per_mwh IS 'Power price in force';
COMMENT ON COLUMN analytics.decisions.hashprice_usd_per_ph_day IS 'Hashprice in force, dollars per PH/s and day';

CREATE VIEW analytics.power_plans AS
SELECT
    plan_id,
    site_id,
    at,
    trigger,
    policy_version,
    value_usd_micros_per_hour * 0.000001 AS value_usd_per_hour,
    bound_usd_micros_per_hour * 0.000001 AS bound_usd_per_hour,
    site_shadow_price_usd_per_mwh,
    applied_at,
    applied AS applied_units,
    skipped AS skipped_units,
    skip_reason
FROM public.power_plans;
COMMENT ON VIEW analytics.power_plans IS 'Every power plan proposed, and what became of it.';
COMMENT ON COLUMN analytics.power_plans.plan_id IS 'The plan';
COMMENT ON COLUMN analytics.power_plans.site_id IS 'The site';
COMMENT ON COLUMN analytics.power_plans.at IS 'When it was proposed';
COMMENT ON COLUMN analytics.power_plans.trigger IS 'price, hashprice, curtailment or capacity';
COMMENT ON COLUMN analytics.power_plans.policy_version IS 'The rules that made it';
COMMENT ON COLUMN analytics.power_plans.value_usd_per_hour IS 'What its mining earns after power, dollars an hour';
COMMENT ON COLUMN analytics.power_plans.bound_usd_per_hour IS 'No plan could earn more, dollars an hour';
COMMENT ON COLUMN analytics.power_plans.site_shadow_price_usd_per_mwh IS 'What one more MWh through the site would earn';
COMMENT ON COLUMN analytics.power_plans.applied_at IS 'When routing applied it; null when it did not';
COMMENT ON COLUMN analytics.power_plans.applied_units IS 'Units that changed mode';
COMMENT ON COLUMN analytics.power_plans.skipped_units IS 'Units left as they were';
COMMENT ON COLUMN analytics.power_plans.skip_reason IS 'Why';

CREATE VIEW analytics.power_prices AS
SELECT
    site_id,
    settlement_point,
    interval_start,
    interval_end,
    price_usd_per_mwh
FROM public.power_prices;
COMMENT ON VIEW analytics.power_prices IS 'The settled price of power, interval by interval.';
COMMENT ON COLUMN analytics.power_prices.site_id IS 'The site';
COMMENT ON COLUMN analytics.power_prices.settlement_point IS 'Where on the grid, for example HB_HUBAVG';
COMMENT ON COLUMN analytics.power_prices.interval_start IS 'From';
COMMENT ON COLUMN analytics.power_prices.interval_end IS 'To, not included';
COMMENT ON COLUMN analytics.power_prices.price_usd_per_mwh IS 'Dollars a MWh; may be negative';

CREATE VIEW analytics.hash_prices AS
SELECT
    site_id,
    interval_start,
    hashprice_usd_per_ph_day,
    difficulty,
    fees_sats * 0.00000001 AS fees_btc,
    btc_price_usd
FROM public.hash_prices;
COMMENT ON VIEW analytics.hash_prices IS 'What hashrate earns, from each publication until the next.';
COMMENT ON COLUMN analytics.hash_prices.site_id IS 'The site';
COMMENT ON COLUMN analytics.hash_prices.interval_start IS 'From then on';
COMMENT ON COLUMN analytics.hash_prices.hashprice_usd_per_ph_day IS 'Dollars per PH/s and day';
COMMENT ON COLUMN analytics.hash_prices.difficulty IS 'Network difficulty';
COMMENT ON COLUMN analytics.hash_prices.fees_btc IS 'Fees in a block, BTC';
COMMENT ON COLUMN analytics.hash_prices.btc_price_usd IS 'Dollars for a bitcoin';

CREATE VIEW analytics.unit_energy AS
SELECT
    site_id,
    feeder_id,
    unit_id,
    interval_start,
    interval_end,
    energy_wh * 0.000001 AS energy_mwh,
    work_th
FROM public.meter_readings;
COMMENT ON VIEW analytics.unit_energy IS 'What each unit''s meter counted, interval by interval.';
COMMENT ON COLUMN analytics.unit_energy.site_id IS 'The site';
COMMENT ON COLUMN analytics.unit_energy.feeder_id IS 'The feeder';
COMMENT ON COLUMN analytics.unit_energy.unit_id IS 'The unit';
COMMENT ON COLUMN analytics.unit_energy.interval_start IS 'From';
COMMENT ON COLUMN analytics.unit_energy.interval_end IS 'To, not included';
COMMENT ON COLUMN analytics.unit_energy.energy_mwh IS 'Energy drawn, MWh';
COMMENT ON COLUMN analytics.unit_energy.work_th IS 'Terahashes computed; 0 for a GPU';

CREATE VIEW analytics.feeder_energy_hourly AS
SELECT
    site_id,
    feeder_id,
    hour,
    energy_wh * 0.000001 AS energy_mwh,
    ai_energy_wh * 0.000001 AS ai_energy_mwh,
    mining_energy_wh * 0.000001 AS mining_energy_mwh
FROM public.feeder_energy_hourly;
COMMENT ON VIEW analytics.feeder_energy_hourly IS 'Energy by feeder and hour.';
COMMENT ON COLUMN analytics.feeder_energy_hourly.site_id IS 'The site';
COMMENT ON COLUMN analytics.feeder_energy_hourly.feeder_id IS 'The feeder';
COMMENT ON COLUMN analytics.feeder_energy_hourly.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN analytics.feeder_energy_hourly.energy_mwh IS 'Energy drawn, MWh';
COMMENT ON COLUMN analytics.feeder_energy_hourly.ai_energy_mwh IS 'Of it by GPUs, MWh';
COMMENT ON COLUMN analytics.feeder_energy_hourly.mining_energy_mwh IS 'Of it by ASICs, MWh';

CREATE VIEW analytics.site_pnl_hourly AS
SELECT
    site_id,
    hour,
    ai_revenue_usd_micros * 0.000001 AS ai_revenue_usd,
    mining_revenue_usd_micros * 0.000001 AS mining_revenue_usd,
    power_cost_usd_micros * 0.000001 AS power_cost_usd,
    profit_usd_micros * 0.000001 AS profit_usd,
    energy_wh * 0.000001 AS energy_mwh,
    ai_energy_wh * 0.000001 AS ai_energy_mwh,
    mining_energy_wh * 0.000001 AS mining_energy_mwh,
    unpriced_energy_wh * 0.000001 AS unpriced_energy_mwh
FROM public.site_pnl_hourly;
COMMENT ON VIEW analytics.site_pnl_hourly IS 'Profit of a site hour by hour: what AI and mining earned, less the power.';
COMMENT ON COLUMN analytics.site_pnl_hourly.site_id IS 'The site';
COMMENT ON COLUMN analytics.site_pnl_hourly.hour IS 'Start of the hour, UTC';
COMMENT ON COLUMN analytics.site_pnl_hourly.ai_revenue_usd IS 'Rated usage whose interval starts in the hour, dollars';
COMMENT ON COLUMN analytics.site_pnl_hourly.mining_revenue_usd IS 'Metered work at the hashprice in force, dollars';
COMMENT ON COLUMN analytics.site_pnl_hourly.power_cost_usd IS 'Metered energy at the price of its interval, dollars';
COMMENT ON COLUMN analytics.site_pnl_hourly.profit_usd IS 'Revenue less power, dollars';
COMMENT ON COLUMN analytics.site_pnl_hourly.energy_mwh IS 'Energy drawn, MWh';
COMMENT ON COLUMN analytics.site_pnl_hourly.ai_energy_mwh IS 'Of it by GPUs, MWh';
COMMENT ON COLUMN analytics.site_pnl_hourly.mining_energy_mwh IS 'Of it by ASICs, MWh';
COMMENT ON COLUMN analytics.site_pnl_hourly.unpriced_energy_mwh IS 'Energy whose power price is not known yet, so not in the cost, MWh';

CREATE VIEW analytics.curtailments AS
SELECT
    curtailment_id,
    site_id,
    max_power_w * 0.000001 AS max_power_mw,
    starts_at,
    ends_at,
    state,
    reason,
    payment_usd_per_mwh,
    requested_at,
    met_at,
    lifted_at
FROM public.curtailments;
COMMENT ON VIEW analytics.curtailments IS 'Requests to stay at or below a power level.';
COMMENT ON COLUMN analytics.curtailments.curtailment_id IS 'The request''s name on its site, which a later one may have too';
COMMENT ON COLUMN analytics.curtailments.site_id IS 'The site';
COMMENT ON COLUMN analytics.curtailments.max_power_mw IS 'The level, MW';
COMMENT ON COLUMN analytics.curtailments.starts_at IS 'From';
COMMENT ON COLUMN analytics.curtailments.ends_at IS 'To, unless lifted before';
COMMENT ON COLUMN analytics.curtailments.state IS 'requested, met or lifted';
COMMENT ON COLUMN analytics.curtailments.reason IS 'Why it was asked for';
COMMENT ON COLUMN analytics.curtailments.payment_usd_per_mwh IS 'Paid for energy not used; null for nothing';
COMMENT ON COLUMN analytics.curtailments.requested_at IS 'When it was asked for';
COMMENT ON COLUMN analytics.curtailments.met_at IS 'When planned power was at or below the level';
COMMENT ON COLUMN analytics.curtailments.lifted_at IS 'When it was lifted early';

CREATE VIEW analytics.alerts AS
SELECT
    alert_id,
    site_id,
    kind,
    severity,
    unit_id,
    detail,
    raised_at,
    cleared_at
FROM public.alerts;
COMMENT ON VIEW analytics.alerts IS 'What needs, or needed, a person.';
COMMENT ON COLUMN analytics.alerts.alert_id IS 'The alert';
COMMENT ON COLUMN analytics.alerts.site_id IS 'The site';
COMMENT ON COLUMN analytics.alerts.kind IS 'A code, for example unit_failed';
COMMENT ON COLUMN analytics.alerts.severity IS 'warning or critical';
COMMENT ON COLUMN analytics.alerts.unit_id IS 'The unit it is about; null for the site';
COMMENT ON COLUMN analytics.alerts.detail IS 'A sentence';
COMMENT ON COLUMN analytics.alerts.raised_at IS 'From';
COMMENT ON COLUMN analytics.alerts.cleared_at IS 'To; null while it stands';

CREATE VIEW analytics.rejected_inputs AS
SELECT
    topic,
    at,
    key,
    rejected_type,
    subject,
    reason,
    detail
FROM public.rejected_inputs;
COMMENT ON VIEW analytics.rejected_inputs IS 'Events that an agent understood and refused; nothing else changed.';
COMMENT ON COLUMN analytics.rejected_inputs.topic IS 'The log';
COMMENT ON COLUMN analytics.rejected_inputs.at IS 'When';
COMMENT ON COLUMN analytics.rejected_inputs.key IS 'Site, customer or pool';
COMMENT ON COLUMN analytics.rejected_inputs.rejected_type IS 'What kind of event';
COMMENT ON COLUMN analytics.rejected_inputs.subject IS 'What it was about';
COMMENT ON COLUMN analytics.rejected_inputs.reason IS 'A code';
COMMENT ON COLUMN analytics.rejected_inputs.detail IS 'A sentence';

CREATE VIEW analytics.customers AS
SELECT
    customer_id,
    name,
    since
FROM public.customers;
COMMENT ON VIEW analytics.customers IS 'Everyone who enrolled or has a contract.';
COMMENT ON COLUMN analytics.customers.customer_id IS 'The customer';
COMMENT ON COLUMN analytics.customers.name IS 'Shown to people';
COMMENT ON COLUMN analytics.customers.since IS 'When first known';

CREATE VIEW analytics.contracts AS
SELECT
    contract_id,
    customer_id,
    tariff_id,
    starts_at,
    billing_period,
    grace_s,
    auto_finalize
FROM public.contracts;
COMMENT ON VIEW analytics.contracts IS 'Which tariff bills a customer, and when.';
COMMENT ON COLUMN analytics.contracts.contract_id IS 'The contract';
COMMENT ON COLUMN analytics.contracts.customer_id IS 'The customer';
COMMENT ON COLUMN analytics.contracts.tariff_id IS 'Its tariff';
COMMENT ON COLUMN analytics.contracts.starts_at IS 'From';
COMMENT ON COLUMN analytics.contracts.billing_period IS 'hour, day, week or month, UTC';
COMMENT ON COLUMN analytics.contracts.grace_s IS 'Seconds a draft waits for late usage';
COMMENT ON COLUMN analytics.contracts.auto_finalize IS 'False: an admin finalizes';

CREATE VIEW analytics.gpu_prices AS
SELECT
    customer_id,
    tariff_id,
    effective_from,
    p ->> 'gpu_model' AS gpu_model,
    (p ->> 'price_usd_per_gpu_hour')::numeric AS price_usd_per_gpu_hour,
    energy_pass_through,
    energy_adder_usd_per_mwh
FROM public.tariffs t CROSS JOIN LATERAL jsonb_array_elements(t.gpu_prices) AS p;
COMMENT ON VIEW analytics.gpu_prices IS 'What each tariff asks for a GPU-hour. Model *: any other. Without a contract a customer pays the price quoted at placement, and that of its tariff on-demand only where none was quoted.';
COMMENT ON COLUMN analytics.gpu_prices.customer_id IS 'The customer';
COMMENT ON COLUMN analytics.gpu_prices.tariff_id IS 'The tariff';
COMMENT ON COLUMN analytics.gpu_prices.effective_from IS 'From';
COMMENT ON COLUMN analytics.gpu_prices.gpu_model IS 'The model';
COMMENT ON COLUMN analytics.gpu_prices.price_usd_per_gpu_hour IS 'Dollars';
COMMENT ON COLUMN analytics.gpu_prices.energy_pass_through IS 'Whether energy is billed at the power price';
COMMENT ON COLUMN analytics.gpu_prices.energy_adder_usd_per_mwh IS 'Added to the power price';

CREATE VIEW analytics.usage AS
SELECT
    usage_id,
    customer_id,
    site_id,
    workload_id,
    placement_id,
    meter,
    gpu_model,
    interval_start,
    interval_end,
    CASE WHEN unit = 'gpu_us' THEN quantity / 3600000000.0 END AS gpu_hours,
    CASE WHEN unit = 'wh' THEN quantity * 0.000001 END AS energy_mwh,
    price_usd_per_mwh,
    amount_usd_micros * 0.000001 AS amount_usd,
    tariff_id,
    state,
    reason
FROM public.usage;
COMMENT ON VIEW analytics.usage IS 'What workloads used, interval by interval, and what it costs.';
COMMENT ON COLUMN analytics.usage.usage_id IS 'The usage';
COMMENT ON COLUMN analytics.usage.customer_id IS 'Who pays';
COMMENT ON COLUMN analytics.usage.site_id IS 'Where';
COMMENT ON COLUMN analytics.usage.workload_id IS 'The workload';
COMMENT ON COLUMN analytics.usage.placement_id IS 'The placement';
COMMENT ON COLUMN analytics.usage.meter IS 'gpu_time or energy';
COMMENT ON COLUMN analytics.usage.gpu_model IS 'The model';
COMMENT ON COLUMN analytics.usage.interval_start IS 'From';
COMMENT ON COLUMN analytics.usage.interval_end IS 'To, not included';
COMMENT ON COLUMN analytics.usage.gpu_hours IS 'GPU-hours; null for energy';
COMMENT ON COLUMN analytics.usage.energy_mwh IS 'MWh; null for GPU time';
COMMENT ON COLUMN analytics.usage.price_usd_per_mwh IS 'Power price of the interval; energy only';
COMMENT ON COLUMN analytics.usage.amount_usd IS 'What it costs, dollars; null until rated';
COMMENT ON COLUMN analytics.usage.tariff_id IS 'The tariff that rated it';
COMMENT ON COLUMN analytics.usage.state IS 'recorded, rated or refused (nobody pays it)';
COMMENT ON COLUMN analytics.usage.reason IS 'Why it was refused; null otherwise';

CREATE VIEW analytics.invoices AS
SELECT
    invoice_id,
    number,
    customer_id,
    contract_id,
    period_start,
    period_end,
    currency,
    state,
    total_usd_micros * 0.000001 AS total_usd,
    drafted_at,
    finalized_at
FROM public.invoices;
COMMENT ON VIEW analytics.invoices IS 'Invoices, drafted and finalized.';
COMMENT ON COLUMN analytics.invoices.invoice_id IS 'The invoice';
COMMENT ON COLUMN analytics.invoices.number IS 'For people';
COMMENT ON COLUMN analytics.invoices.customer_id IS 'Who owes it';
COMMENT ON COLUMN analytics.invoices.contract_id IS 'The contract';
COMMENT ON COLUMN analytics.invoices.period_start IS 'From';
COMMENT ON COLUMN analytics.invoices.period_end IS 'To, not included';
COMMENT ON COLUMN analytics.invoices.currency IS 'ISO 4217';
COMMENT ON COLUMN analytics.invoices.state IS 'drafted or finalized';
COMMENT ON COLUMN analytics.invoices.total_usd IS 'Sum of its lines, dollars';
COMMENT ON COLUMN analytics.invoices.drafted_at IS 'When drafted';
COMMENT ON COLUMN analytics.invoices.finalized_at IS 'When it became owed; null before';

CREATE VIEW analytics.invoice_lines AS
SELECT
    invoice_id,
    line_id,
    workload_id,
    meter,
    description,
    CASE WHEN unit = 'gpu_us' THEN quantity / 3600000000.0 END AS gpu_hours,
    CASE WHEN unit = 'wh' THEN quantity * 0.000001 END AS energy_mwh,
    amount_usd_micros * 0.000001 AS amount_usd,
    cardinality(usage_ids) AS usages
FROM public.invoice_lines;
COMMENT ON VIEW analytics.invoice_lines IS 'Lines of invoices.';
COMMENT ON COLUMN analytics.invoice_lines.invoice_id IS 'The invoice';
COMMENT ON COLUMN analytics.invoice_lines.line_id IS 'The line, from 1';
COMMENT ON COLUMN analytics.invoice_lines.workload_id IS 'The workload';
COMMENT ON COLUMN analytics.invoice_lines.meter IS 'gpu_time or energy';
COMMENT ON COLUMN analytics.invoice_lines.description IS 'For people';
COMMENT ON COLUMN analytics.invoice_lines.gpu_hours IS 'GPU-hours; null for energy';
COMMENT ON COLUMN analytics.invoice_lines.energy_mwh IS 'MWh; null for GPU time';
COMMENT ON COLUMN analytics.invoice_lines.amount_usd IS 'Dollars';
COMMENT ON COLUMN analytics.invoice_lines.usages IS 'How many usages it adds up';

CREATE VIEW analytics.freshness AS
SELECT
    read_model,
    topic,
    partition,
    next_offset,
    updated_at
FROM public.projection_positions;
COMMENT ON VIEW analytics.freshness IS 'How far each read model has come.';
COMMENT ON COLUMN analytics.freshness.read_model IS 'The read model';
COMMENT ON COLUMN analytics.freshness.topic IS 'The log';
COMMENT ON COLUMN analytics.freshness.partition IS 'Its partition';
COMMENT ON COLUMN analytics.freshness.next_offset IS 'Every record before this one is in the tables';
COMMENT ON COLUMN analytics.freshness.updated_at IS 'When it last moved';
