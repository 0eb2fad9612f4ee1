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

-- Against accidents, in every database of the cluster: a session may set all but the last otherwise.
-- What protects is what is not granted, and that nobody here waits for an analyst for long.
DO $$
DECLARE
    name text;
    value text;
BEGIN
    IF to_regrole('hcp_analyst') IS NULL THEN
        RETURN;
    END IF;
    FOR name, value IN VALUES
        ('default_transaction_read_only', 'on'),
        ('statement_timeout', '60s'),
        ('idle_in_transaction_session_timeout', '60s'),
        ('transaction_timeout', '120s'),
        ('temp_file_limit', '256MB')
    LOOP
        CONTINUE WHEN current_setting(name, true) IS NULL; -- before PostgreSQL 17: transaction_timeout
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_db_role_setting
            WHERE setrole = to_regrole('hcp_analyst') AND setdatabase = 0
              AND format('%s=%s', name, value) = ANY (setconfig)
        );
        BEGIN
            EXECUTE format('ALTER ROLE hcp_analyst SET %I = %L', name, value);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'hcp_analyst has no %: % may not set it, see "SQL analytics" in README.md', name, current_user;
        END;
    END LOOP;
    -- An earlier version set them for this database alone, which would outrank the above.
    IF EXISTS (
        SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE s.setrole = to_regrole('hcp_analyst') AND d.datname = current_database()
    ) THEN
        EXECUTE format('ALTER ROLE hcp_analyst IN DATABASE %I RESET ALL', current_database());
    END IF;
    IF (SELECT rolconnlimit FROM pg_roles WHERE rolname = 'hcp_analyst') < 0 THEN
        ALTER ROLE hcp_analyst CONNECTION LIMIT 10;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'hcp_analyst is bounded by what it has now: % may not alter it', current_user;
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
