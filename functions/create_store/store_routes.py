"""The routes about stores and their plans."""

from __future__ import annotations

from http import HTTPStatus

from control_plane.domain.accounts import Scope
from control_plane.domain.errors import (
    ClaimedError,
    NameTakenError,
    NotNowError,
    PlanTooSmallError,
    StoreLimitError,
    StoreNotFoundError,
)
from control_plane.listing import ListQuery
from control_plane.orders import ChangeStore, CreateStore, PurgeStore
from functions.create_store import store_handlers as handlers
from functions.create_store import store_views as views
from functions.create_store.route import Route

_S = HTTPStatus

_STORE = "/v1/stores/<store_id>"
STORE_ROUTES = (
    Route(
        "POST", "/v1/stores", handlers.create_store, "Create a store", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.WRITE, body=CreateStore,
        headers=("Idempotency-Key",), problems=(NameTakenError, StoreLimitError),
        says="Records the order and answers at once with a store in the state QUEUED: nothing of it runs "
        "yet. Follow `Location` until the state is READY, about a minute later, or FAILED with a "
        "`reason`. The host name is made of the name and four random characters.",
    ),
    Route(
        "GET", "/v1/stores", handlers.list_stores, "List or search stores", "Stores",
        _S.OK, views.StorePage, Scope.READ, query=ListQuery, headers=("If-None-Match",),
        says="Newest first, a page at a time, DELETED ones too. While `next_cursor` is not null, send it as "
        "`cursor`, with the same filters, for the next page.",
    ),
    Route(
        "GET", _STORE, handlers.show_store, "Show a store", "Stores",
        _S.OK, views.StoreDetails, Scope.READ, headers=("If-None-Match",), problems=(StoreNotFoundError,),
        says="Its state and the reason for it, its address, and whether what was asked last is running yet: "
        "it is when `observed_generation` equals `generation`. Only here `subscription` says what billing "
        "told about it, and when that suspends or removes the store. With `If-None-Match`, asking again "
        "costs little.",
    ),
    Route(
        "PATCH", _STORE, handlers.change_store, "Change a store's title, name or plan", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.WRITE, body=ChangeStore,
        headers=("If-Match",),
        problems=(StoreNotFoundError, NotNowError, NameTakenError, PlanTooSmallError),
        says="All that you name in one request is one new `generation`, or none of it; what is so already "
        "changes nothing. A new title is read by shoppers within a minute. A new name gives the store a new "
        "host name, made like the first; the shop's own links follow, and the host name before leads there "
        "for 30 days. A new plan brings its resources, with some seconds of pause; volumes grow and never "
        "shrink, so a plan with less storage than the store has is refused, with the numbers. The plan of a "
        "store with a subscription is changed where that is paid for.",
    ),
    Route(
        "POST", f"{_STORE}/suspend", handlers.suspend_store, "Suspend a store", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.WRITE,
        headers=("If-Match",), problems=(StoreNotFoundError, NotNowError),
        says="Sets your hold on it: the shop is off, and shoppers read that it is closed. Nothing of it is "
        "lost, however long that lasts, and a subscription goes on. A store runs only while nobody holds "
        "it; billing and the platform's operators have holds of their own.",
    ),
    Route(
        "POST", f"{_STORE}/resume", handlers.resume_store, "Have a suspended store run again", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.WRITE,
        headers=("If-Match",), problems=(StoreNotFoundError, NotNowError),
        says="Lifts your hold: the shop is as it was, in about the time that its first start took. Where "
        "billing or an operator holds the store, too, it stays off until they lift theirs; where only they "
        "hold it, the answer is 409 and names them.",
    ),
    Route(
        "DELETE", _STORE, handlers.delete_store, "Delete a store, with time to undo it", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.WRITE,
        headers=("If-Match",), problems=(StoreNotFoundError,),
        says="The shop is off at once. Everything is kept for as many days as the plan's `retention_days`, "
        "and until `removal_at` `undelete` brings it back as it was. Then it is removed for good, with all "
        "orders, pages and files: DELETING until all of it is gone, then DELETED. You can still look at it "
        "and at its events, and its name is free again. A store that was never READY is removed at once. It "
        "works from every state, and asking again changes nothing.",
    ),
    Route(
        "POST", f"{_STORE}/undelete", handlers.undelete_store, "Take a deletion back", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.WRITE,
        headers=("If-Match",), problems=(StoreNotFoundError, NotNowError),
        says="Until `removal_at`: the store is kept, and runs again as it was unless somebody holds it. A "
        "store that is DELETING or DELETED cannot be brought back.",
    ),
    Route(
        "POST", f"{_STORE}/purge", handlers.purge_store, "Remove a store now, for good", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.WRITE, body=PurgeStore,
        headers=("If-Match",), problems=(StoreNotFoundError,),
        says="The shop with all its orders, pages and files is removed at once, and nobody can bring it "
        "back. So the body must have the store's `name`; with another one nothing happens and the answer is "
        "400. It works from every state, deleted before or not. The name is free when the store is DELETED.",
    ),
    Route(
        "POST", f"{_STORE}/retry", handlers.retry_store, "Try a FAILED store again", "Stores",
        _S.ACCEPTED, views.StoreView, Scope.RETRY,
        headers=("If-Match",), problems=(StoreNotFoundError, NotNowError),
        says="Only for a store that is FAILED: it becomes QUEUED again, and what it has already is kept. "
        "Read its `reason` first. Any other change of a FAILED store tries it again, too.",
    ),
    Route(
        "POST", f"{_STORE}/credentials:claim", handlers.claim_credentials,
        "Reveal the administrator's password, once", "Credentials",
        _S.OK, views.CredentialsView, Scope.CREDENTIALS,
        problems=(StoreNotFoundError, NotNowError, ClaimedError),
        says="For the first log-in to the shop's administration. It works once, within a week after the "
        "password was made: from then on only the store itself has it, and asking again is answered "
        "410. Who asks is noted in the store's events.",
    ),
    Route(
        "POST", f"{_STORE}/login-link", handlers.make_login_link,
        "Log in as the administrator by one click", "Credentials",
        _S.CREATED, views.LoginLinkView, Scope.CREDENTIALS, problems=(StoreNotFoundError, NotNowError),
        says="An address on the store's own host that logs whoever opens it in as the administrator: within "
        "60 seconds, and once. Treat it like a password. Who asks for one is noted in the store's "
        "events.",
    ),
    Route(
        "POST", f"{_STORE}/reset-password", handlers.reset_password,
        "Have a new administrator's password made", "Credentials",
        _S.ACCEPTED, views.StoreView, Scope.CREDENTIALS,
        headers=("If-Match",), problems=(StoreNotFoundError, NotNowError),
        says="A new password is made, and the store stops taking the old one. When it is READY again, claim "
        "the new one with `credentials:claim`. For whoever has lost the password, or fears that "
        "somebody else has it.",
    ),
    Route(
        "GET", f"{_STORE}/events", handlers.list_events, "All that happened to a store", "Stores",
        _S.OK, views.Events, Scope.READ, headers=("If-None-Match",), problems=(StoreNotFoundError,),
        says="Every change since it was ordered, oldest first: when, who or what did it, from which state to "
        "which, and why. Nothing in it is ever changed or removed.",
    ),
    Route(
        "GET", "/v1/plans", handlers.list_plans, "List the plans of stores", "Plans",
        _S.OK, views.PlansView, Scope.READ, headers=("If-None-Match",),
        says="What a store of each plan may use, what that costs a month, and for how long it is kept when "
        "it is deleted or not paid for. `plan` of a store is one of their names.",
    ),
)  # fmt: skip
