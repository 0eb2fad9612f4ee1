-- The role that reads the schema analytics and does nothing else. Run after every `migrate`, so that an
-- administrator may make the role first where the owner of the database may not. Says what it
-- could not do as a warning.

-- A role belongs to the whole cluster: another database may have made it already.
DO $$
BEGIN
    CREATE ROLE hcp_analyst NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        IF to_regrole('hcp_analyst') IS NULL THEN
            RAISE WARNING 'the role hcp_analyst is missing, and % may not create roles: see "SQL analytics" in README.md', current_user;
        END IF;
END $$;

DO $$
BEGIN
    IF to_regrole('hcp_analyst') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA analytics TO hcp_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO hcp_analyst;
    END IF;
END $$;

-- Against accidents: a session may set them otherwise. What protects is what is not granted.
DO $$
BEGIN
    IF to_regrole('hcp_analyst') IS NOT NULL THEN
        EXECUTE format('ALTER ROLE hcp_analyst IN DATABASE %I SET default_transaction_read_only = on', current_database());
        EXECUTE format('ALTER ROLE hcp_analyst IN DATABASE %I SET statement_timeout = ''60s''', current_database());
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'hcp_analyst has no statement_timeout: % may not alter it', current_user;
END $$;

-- PostgreSQL lets everybody make temporary tables; the projections do, through this very user.
DO $$
BEGIN
    IF pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') THEN
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), current_user);
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    ELSE
        RAISE WARNING 'hcp_analyst may fill the disk with temporary tables: % does not own the database', current_user;
    END IF;
END $$;

-- Nor is it to store large objects, or to hold an advisory lock that a migration or rebuild waits for.
DO $$
DECLARE
    function regprocedure;
    kept boolean := false;
BEGIN
    FOR function, kept IN
        SELECT oid::regprocedure, NOT pg_has_role(proowner, 'USAGE') FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname ~ '^(lo_.*|loread|lowrite|pg_(try_)?advisory_.*)$'
        ORDER BY 2
    LOOP
        EXIT WHEN kept;
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', function, current_user);
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
    END LOOP;
    IF kept THEN
        RAISE WARNING 'hcp_analyst may store large objects and take advisory locks: only a superuser can forbid it, see "SQL analytics" in README.md';
    END IF;
END $$;
