"""People who sign in with a browser: who they are, whose members they are, and their sessions.

What names a person, their e-mail address, name and identity provider's subject, is in `people` and
`identities` only, so that it can be erased; everything else knows an id. A session's secret is nowhere:
only its SHA-256. A member who was removed stays as a row, so that their identity provider, who goes on
to vouch for them, does not bring them back.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

API, RECONCILE, OPERATOR = "urumi_create_store", "urumi_reconcile", "urumi_operator"

TABLES = """
CREATE TABLE people (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email      text,
    name       text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at  timestamptz,
    CONSTRAINT erased_people_have_no_name CHECK (erased_at IS NULL OR (email IS NULL AND name IS NULL))
);

CREATE TABLE members (
    account_id uuid NOT NULL REFERENCES accounts,
    person_id  uuid NOT NULL REFERENCES people,
    role       text NOT NULL CHECK (role IN ('owner', 'member')),
    joined_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at timestamptz,
    PRIMARY KEY (account_id, person_id)
);
CREATE INDEX members_by_person ON members (person_id);

-- Whom an issuer means by a subject. `urumi:local` is for one-time addresses; its subjects are accounts.
CREATE TABLE identities (
    issuer    text NOT NULL,
    subject   text NOT NULL,
    person_id uuid NOT NULL REFERENCES people,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_of_a_person ON identities (person_id);

CREATE TABLE sessions (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    digest     bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    person_id  uuid NOT NULL,
    account_id uuid NOT NULL,
    role       text NOT NULL CHECK (role IN ('customer', 'support', 'operator')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '12 hours',
    ended_at   timestamptz,
    browser    text NOT NULL CHECK (length(browser) <= 200),
    FOREIGN KEY (account_id, person_id) REFERENCES members
);
CREATE INDEX sessions_of_an_account ON sessions (account_id, person_id);
CREATE INDEX sessions_by_age ON sessions (expires_at);

-- One-time addresses that let somebody in on the machine of an operator.
CREATE TABLE sign_ins (
    digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
    account_id uuid NOT NULL REFERENCES accounts,
    expires_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '5 minutes',
    used_at    timestamptz
);
CREATE INDEX sign_ins_by_age ON sign_ins (expires_at);
"""

# Set by `enter`, like the account; empty where nobody came with a session.
WALL = """
CREATE FUNCTION entered_session() RETURNS uuid LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
    $$ SELECT nullif(current_setting('urumi.session', true), '')::uuid $$;
"""

MINE = "account_id = entered_account()"
WALLED = {
    "people": (
        "EXISTS (SELECT FROM members WHERE members.person_id = people.id AND members.removed_at IS NULL"
        " AND members.account_id = entered_account())",
    )
    * 2,
    "members": (MINE, MINE),
    # Nobody gives themselves a role: those of staff come from an issuer, through `enter`.
    "sessions": (MINE, f"{MINE} AND (role = 'customer' OR entered_as_staff())"),
    "identities": ("false", "false"),
    "sign_ins": ("false", "false"),
}

ENTER = """
CREATE FUNCTION enter(
    -- token, session or once: hex of a SHA-256; or issuer, customer, subject, role, email, name of a person.
    -- limits: rate, burst, by plan
    shown jsonb,
    OUT outcome text, OUT account uuid, OUT caller text, OUT caller_role text, OUT caller_scopes text[],
    OUT account_plan text, OUT seconds double precision
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    token public.tokens;
    session public.sessions;
    person uuid;
    known boolean;
    bucket public.accounts;
    limits jsonb;
    rate double precision;
    burst double precision;
    left_now double precision;
BEGIN
    -- Whoever is not let in sees nothing, whatever was set before.
    PERFORM set_config('urumi.account', '', true), set_config('urumi.staff', '', true),
        set_config('urumi.session', '', true);
    IF shown ? 'token' THEN
        SELECT * INTO token FROM public.tokens WHERE digest = decode(shown ->> 'token', 'hex')
            AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > moment);
        account := token.account_id;
        caller := 'token ' || token.id;
        caller_role := token.role;
        caller_scopes := token.scopes;
    ELSIF shown ? 'session' THEN
        SELECT * INTO session FROM public.sessions WHERE digest = decode(shown ->> 'session', 'hex')
            AND ended_at IS NULL AND expires_at > moment AND seen_at > moment - interval '2 hours';
        account := session.account_id;
        person := session.person_id;
        caller_role := session.role;
    ELSIF shown ? 'once' THEN
        SELECT account_id INTO account FROM public.sign_ins
            WHERE digest = decode(shown ->> 'once', 'hex') AND used_at IS NULL AND expires_at > moment;
        person := public.person_of('urumi:local', account::text);
        caller_role := 'customer';
    ELSIF shown ? 'issuer' THEN
        person := public.person_of(shown ->> 'issuer', shown ->> 'subject');
        account := public.account_of(shown ->> 'issuer', shown ->> 'customer', 'person ' || person);
        caller_role := shown ->> 'role';
    END IF;
    IF account IS NULL THEN
        outcome := 'unknown';
        caller := NULL;
        RETURN;
    END IF;
    caller := coalesce('person ' || person, caller);

    -- One request of an account at a time. Nothing of it is written before: two would wait for each other.
    SELECT * INTO bucket FROM public.accounts WHERE id = account FOR UPDATE;
    IF shown ? 'token' THEN
        PERFORM FROM public.tokens WHERE id = token.id AND revoked_at IS NULL;
        IF NOT FOUND THEN -- revoked by the one that was waited for
            outcome := 'unknown';
            RETURN;
        END IF;
        UPDATE public.tokens SET last_used_at = moment
            WHERE id = token.id AND (last_used_at IS NULL OR last_used_at < moment - interval '1 minute');
    ELSIF shown ? 'session' THEN
        PERFORM FROM public.sessions s JOIN public.members m USING (account_id, person_id)
            WHERE s.id = session.id AND s.ended_at IS NULL AND m.removed_at IS NULL;
        IF NOT FOUND THEN -- ended by the one that was waited for
            outcome := 'unknown';
            RETURN;
        END IF;
        UPDATE public.sessions SET seen_at = moment
            WHERE id = session.id AND seen_at < moment - interval '1 minute';
    END IF;
    account_plan := bucket.plan;
    limits := coalesce(shown -> 'limits' -> bucket.plan, shown -> 'limits' -> 'standard');
    rate := limits ->> 'rate';
    burst := limits ->> 'burst';
    left_now := least(burst, bucket.requests_left
        + rate * greatest(0, extract(epoch FROM clock_timestamp() - bucket.requests_at)));
    IF left_now < 1 THEN
        outcome := 'limited';
        seconds := (1 - left_now) / rate;
        RETURN;
    END IF;
    UPDATE public.accounts SET requests_left = left_now - 1, requests_at = clock_timestamp()
        WHERE id = account;
    IF shown ? 'once' THEN
        UPDATE public.sign_ins SET used_at = moment
            WHERE digest = decode(shown ->> 'once', 'hex') AND used_at IS NULL AND expires_at > moment;
        IF NOT FOUND THEN -- used by the one that was waited for
            outcome := 'unknown';
            RETURN;
        END IF;
        known := public.admitted(person, account, 'urumi:local', account::text, NULL, NULL);
    ELSIF shown ? 'issuer' THEN
        known := public.admitted(
            person, account, shown ->> 'issuer', shown ->> 'subject', shown ->> 'email', shown ->> 'name'
        );
    END IF;
    IF NOT known THEN
        outcome := 'unknown';
        RETURN;
    END IF;
    PERFORM set_config('urumi.account', account::text, true);
    IF session.id IS NOT NULL THEN
        PERFORM set_config('urumi.session', session.id::text, true);
    END IF;
    IF caller_role IN ('support', 'operator') THEN
        PERFORM set_config('urumi.staff', 'yes', true);
    END IF;
    outcome := 'entered';
END $$;

-- The person whom an issuer means, or an id for somebody new; who is new waits for themselves.
CREATE FUNCTION person_of(issuer_name text, subject_name text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person uuid;
BEGIN
    SELECT person_id INTO person FROM public.identities
        WHERE issuer = issuer_name AND subject = subject_name;
    IF person IS NULL AND subject_name IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(issuer_name || ' person ' || subject_name, 0));
        SELECT person_id INTO person FROM public.identities
            WHERE issuer = issuer_name AND subject = subject_name;
        person := coalesce(person, gen_random_uuid());
    END IF;
    RETURN person;
END $$;

-- Make somebody new known, keep what is known of others up to date, and tell whether they are a member.
-- Whoever comes to an account for the first time becomes one, and where there is none its owner.
CREATE FUNCTION admitted(
    person uuid, account uuid, issuer_name text, subject_name text, email_now text, name_now text
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    member boolean;
BEGIN
    INSERT INTO public.people (id, email, name) VALUES (person, email_now, name_now)
        ON CONFLICT (id) DO NOTHING;
    IF FOUND THEN
        INSERT INTO public.identities (issuer, subject, person_id)
            VALUES (issuer_name, subject_name, person);
    ELSE
        UPDATE public.people SET email = coalesce(email_now, email), name = coalesce(name_now, name)
            WHERE id = person AND erased_at IS NULL
                AND (coalesce(email_now, email), coalesce(name_now, name)) IS DISTINCT FROM (email, name);
    END IF;
    SELECT removed_at IS NULL INTO member FROM public.members
        WHERE account_id = account AND person_id = person;
    IF member IS NULL THEN
        PERFORM FROM public.people WHERE id = person AND erased_at IS NULL FOR UPDATE;
        IF NOT FOUND THEN -- erased since they were looked up
            RETURN false;
        END IF;
        INSERT INTO public.members (account_id, person_id, role)
            SELECT account, person, CASE WHEN EXISTS (
                SELECT FROM public.members WHERE account_id = account AND removed_at IS NULL
            ) THEN 'member' ELSE 'owner' END;
        INSERT INTO public.account_audit (account_id, actor, cause, action, subject)
            VALUES (account, 'person ' || person, 'first request', 'member added', person::text);
        member := true;
    END IF;
    RETURN member;
END $$;

-- End a session by the digest of its secret, in hex; anybody may end what they can show.
CREATE FUNCTION leave(shown text, cause_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH ended AS (
        UPDATE public.sessions SET ended_at = clock_timestamp()
        WHERE digest = decode(shown, 'hex') AND ended_at IS NULL
        RETURNING id, account_id, person_id, role
    )
    INSERT INTO public.account_audit (account_id, actor, cause, action, subject)
        SELECT account_id, role || ' person ' || person_id, cause_name, 'signed out', id::text FROM ended
$$;
"""

_SESSION = "id, person_id, account_id, role, created_at, seen_at, expires_at, ended_at, browser"
GRANTS: dict[str, dict[str, tuple[str, ...]]] = {
    API: {
        "people": ("SELECT (id, email, name)",),
        "members": (
            "SELECT (account_id, person_id, role, joined_at, removed_at)",
            "UPDATE (role, removed_at)",
        ),
        "sessions": (
            f"SELECT ({_SESSION})",
            "INSERT (digest, person_id, account_id, role, browser)",
            "UPDATE (ended_at)",
        ),
    },
    RECONCILE: {
        "sessions": ("SELECT (ctid, expires_at)", "DELETE"),
        "sign_ins": ("SELECT (ctid, expires_at)", "DELETE"),
    },
    OPERATOR: {
        "people": ("SELECT", "UPDATE (email, name, erased_at)"),
        "members": ("SELECT", "UPDATE (role, removed_at)"),
        "identities": ("SELECT", "DELETE"),
        "sessions": (f"SELECT ({_SESSION})", "UPDATE (ended_at, browser)"),
        "sign_ins": ("SELECT (account_id, expires_at, used_at)", "INSERT (digest, account_id)"),
        "stores": ("UPDATE (admin_email)",),
    },
}


def upgrade() -> None:
    """Make the tables, behind the wall."""
    op.execute(TABLES)
    op.execute(WALL)
    for table, (seen, written) in WALLED.items():
        op.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
            f" CREATE POLICY account ON {table} TO {API} USING ({seen}) WITH CHECK ({written});"
            f" CREATE POLICY platform ON {table} TO {RECONCILE}, {OPERATOR} USING (true) WITH CHECK (true);"
            f" CREATE POLICY owner ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)"
        )
    op.execute(ENTER)
    op.execute(
        "REVOKE EXECUTE ON FUNCTION enter(jsonb), person_of(text, text), leave(text, text),"
        f" entered_session(), admitted(uuid, uuid, text, text, text, text) FROM PUBLIC;"
        f" GRANT EXECUTE ON FUNCTION enter(jsonb), leave(text, text), entered_session() TO {API}"
    )
    for role, tables in GRANTS.items():
        for table, rights in tables.items():
            op.execute(f"GRANT {', '.join(rights)} ON {table} TO {role}")
