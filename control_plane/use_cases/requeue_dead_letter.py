"""Have a dead letter tried again."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.domain.dead_letters import (
    AlreadyAnsweredError,
    Answer,
    DeadLetter,
    LetterError,
    Operator,
)
from control_plane.domain.errors import TemporaryError
from control_plane.ports.dead_letters import DeadLetters, Republisher

_SECONDS = 10.0  # an operator waits no longer for the broker


@dataclass(frozen=True)
class RequeueDeadLetter:
    """The verb, with what it needs."""

    letters: DeadLetters
    broker: Republisher

    def __call__(self, letter: DeadLetter, operator: Operator) -> str:
        """Retry its FAILED store; or publish it again, where no store is known. Says what was done.

        Raises LetterError where nothing can come of it, TemporaryError when the broker does not take it,
        DatabaseUnavailableError.
        """
        if letter.answer:
            raise AlreadyAnsweredError(f"the dead letter {letter.id} was {letter.answer} already")
        if letter.store_state is None:
            self._publish(letter, operator)
            return f"published again on {letter.source}"
        if not self.letters.retry(letter.id, operator):
            now = self.letters.find(str(letter.id))
            raise LetterError(
                f"its store {now.store_name} ({now.store_id}) is {now.store_state}, not FAILED, "
                f"and goes its way without this letter: `urumi queue discard {letter.id} --reason …`"
            )
        return f"store {letter.store_name} is QUEUED again"

    def _publish(self, letter: DeadLetter, operator: Operator) -> None:
        if letter.cut:
            raise LetterError(
                "its body was too long to be kept whole, so it cannot be published again: "
                f"`urumi queue discard {letter.id} --reason …`"
            )
        # Said first: whoever dies in between says it twice, which does no harm.
        if not self.broker.publish_again(letter.source, letter.body, timeout=_SECONDS):
            raise TemporaryError("the broker did not take it, so it still waits: try again")
        self.letters.answer(letter.id, Answer.REQUEUED, operator)
