"""What an operator does about accounts and people."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from control_plane.domain.dead_letters import Operator
from control_plane.domain.registry import AccountSummary, Erased


class Registry(Protocol):
    """Accounts and people of the whole platform."""

    def let_sign_in(self, account: UUID, digest: str, operator: Operator) -> None:
        """A one-time address of this secret's digest signs in to the account. Raises RegistryError."""

    def erase(self, who: UUID | str, operator: Operator) -> Erased:
        """Forget a person, by id or e-mail address. Raises RegistryError for nobody, and for several."""

    def link(self, account: UUID, system: str, customer: str, operator: Operator) -> None:
        """Tell which customer of a billing system an account is. Raises RegistryError."""

    def account(self, account: UUID) -> AccountSummary:
        """Raises RegistryError."""
