-- Customers name their contracts themselves: two may use the same name. Contracts that hid one
-- another come back with a rebuild of `customers`.

ALTER TABLE contracts DROP CONSTRAINT contracts_pkey;
ALTER TABLE contracts ADD PRIMARY KEY (customer_id, contract_id);
