"""An operator's view of accounts and people in Postgres."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.adapters.postgres_database import Database, constraint
from control_plane.domain.dead_letters import Operator
from control_plane.domain.registry import ERASED_ADDRESS, AccountSummary, Erased, Link, RegistryError

_SIGN_IN = text("""
WITH made AS (
    INSERT INTO sign_ins (account_id, digest) VALUES (:account, decode(:digest, 'hex'))
)
INSERT INTO operations (operator, action, subject, reason)
VALUES (:operator, 'one-time address made', CAST(:account AS text), :reason)
""")

_BY_EMAIL = text("SELECT id FROM people WHERE lower(email) = lower(:email) ORDER BY id LIMIT 2")
# All that names a person, and nothing that only has their id. A link goes where its name is theirs: that of
# an issuer whose tokens call the account by the person. What is in a shop itself its owner changes there.
_ERASE = text("""
WITH target AS (
    SELECT id, email FROM people WHERE id = :id AND erased_at IS NULL FOR UPDATE
), theirs AS (
    SELECT account_id FROM members JOIN target ON person_id = target.id
), known AS (
    SELECT issuer, subject, email FROM identities JOIN target ON person_id = target.id
), forgotten AS (
    DELETE FROM identities USING target WHERE person_id = target.id
), unlinked AS (
    DELETE FROM links USING known WHERE links.kind = 'identity' AND links.issuer = known.issuer
        AND (links.customer = known.subject OR lower(links.customer) = lower(known.email))
), ended AS (
    UPDATE sessions SET ended_at = coalesce(ended_at, clock_timestamp()), browser = ''
    FROM target WHERE person_id = target.id
), removed AS (
    UPDATE members SET removed_at = clock_timestamp()
    FROM target WHERE person_id = target.id AND removed_at IS NULL
    RETURNING account_id
), changed AS (
    UPDATE stores SET admin_email = :address FROM target
    WHERE customer_id IN (SELECT account_id FROM theirs) AND lower(admin_email) = lower(target.email)
    RETURNING stores.id
), ordered AS (
    UPDATE billing_facts SET admin_email = :address FROM target, subscriptions
    WHERE billing_facts.subscription_id = subscriptions.id
        AND subscriptions.account_id IN (SELECT account_id FROM theirs)
        AND lower(billing_facts.admin_email) = lower(target.email)
), parked AS (
    SELECT forget_in_letters(email, :address) AS letters FROM target
), erased AS (
    UPDATE people SET email = NULL, name = NULL, erased_at = clock_timestamp()
    FROM target WHERE people.id = target.id RETURNING people.id
), audited AS (
    INSERT INTO account_audit (account_id, actor, cause, action, subject)
    SELECT account_id, 'operator', 'erasure', 'member removed', CAST(:id AS text) FROM removed
), told AS (
    INSERT INTO operations (operator, action, subject, reason)
    SELECT :operator, 'person erased', CAST(id AS text), :reason FROM erased
    UNION ALL
    SELECT :operator, 'address erased', CAST(id AS text), :reason FROM changed
)
SELECT id, (SELECT count(*) FROM theirs) AS accounts, (SELECT count(*) FROM changed) AS stores,
    (SELECT letters FROM parked) AS letters FROM erased
""")

_LINK = text("""
WITH linked AS (
    INSERT INTO links (kind, issuer, customer, account_id)
    VALUES ('billing', :system, :customer, :account)
    ON CONFLICT (kind, issuer, customer) DO NOTHING RETURNING account_id
), audited AS (
    INSERT INTO account_audit (account_id, actor, cause, action, subject)
    SELECT account_id, 'operator', 'link', 'billing linked', :system FROM linked
), told AS (
    INSERT INTO operations (operator, action, subject, reason)
    SELECT :operator, 'billing linked', CAST(account_id AS text), :reason FROM linked
)
SELECT EXISTS (SELECT FROM linked) AS done, (
    SELECT account_id FROM links WHERE kind = 'billing' AND issuer = :system AND customer = :customer
) AS before
""")

_ACCOUNT = text("""
SELECT id, plan, created_at,
    (SELECT count(*) FROM stores WHERE customer_id = accounts.id AND state <> 'DELETED') AS live_stores,
    (SELECT count(*) FROM tokens WHERE account_id = accounts.id AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > clock_timestamp())) AS tokens
FROM accounts WHERE id = :account
""")
_LINKS = text("SELECT kind, issuer, customer FROM links WHERE account_id = :account ORDER BY 1, 2, 3")
_MEMBERS = text("""
SELECT person_id, role FROM members WHERE account_id = :account AND removed_at IS NULL
ORDER BY joined_at, person_id
""")


class PostgresRegistry:
    """The `Registry` port. `database` has an operator's login."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def let_sign_in(self, account: UUID, digest: str, operator: Operator) -> None:
        """See the port."""
        parameters = {
            "account": account,
            "digest": digest,
            "operator": operator.name,
            "reason": operator.reason,
        }
        try:
            self._database.rows(_SIGN_IN, parameters)
        except DBAPIError as error:
            raise self._unknown(error, account) from error

    def erase(self, who: UUID | str, operator: Operator) -> Erased:
        """See the port."""
        parameters = {
            "id": who if isinstance(who, UUID) else self._found(who),
            "address": ERASED_ADDRESS,
            "operator": operator.name,
            "reason": operator.reason,
        }
        row = self._database.one(_ERASE, parameters)
        if row is None:
            raise RegistryError(f"nobody is known as {who}, or they were erased before")
        return Erased(row["id"], row["accounts"], row["stores"])

    def link(self, account: UUID, system: str, customer: str, operator: Operator) -> None:
        """See the port."""
        parameters = {
            "account": account,
            "system": system,
            "customer": customer,
            "operator": operator.name,
            "reason": operator.reason,
        }
        try:
            row = self._database.one(_LINK, parameters)
        except DBAPIError as error:
            raise self._unknown(error, account) from error
        if row and not row["done"] and row["before"] != account:
            raise RegistryError(
                f"{customer} of {system} is account {row['before']}: one customer, one account"
            )

    def account(self, account: UUID) -> AccountSummary:
        """See the port."""
        row = self._database.one(_ACCOUNT, {"account": account})
        if row is None:
            raise RegistryError(f"there is no account {account}")
        links = self._database.rows(_LINKS, {"account": account})
        members = self._database.rows(_MEMBERS, {"account": account})
        return AccountSummary(
            **row,
            links=tuple(Link(**each) for each in links),
            members=tuple((each["person_id"], each["role"]) for each in members),
        )

    def _found(self, email: str) -> UUID:
        rows = self._database.rows(_BY_EMAIL, {"email": email})
        if not rows:
            raise RegistryError(f"nobody has the address {email}")
        if len(rows) > 1:
            ids = " and ".join(str(row["id"]) for row in rows)
            raise RegistryError(f"{ids} have the address {email}: name one by id")
        found: UUID = rows[0]["id"]
        return found

    def _unknown(self, error: DBAPIError, account: UUID) -> Exception:
        named = "account_id" in constraint(error)
        return RegistryError(f"there is no account {account}") if named else error
