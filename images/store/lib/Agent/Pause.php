<?php

declare(strict_types=1);

namespace Urumi\Agent;

/** How long to wait between two rounds: longer with each failure of the same kind, never in step with others. */
final class Pause
{
    private const FIRST = 0.2; // seconds
    private const LONGEST = 10.0;
    private const SETTLED = 20.0; // between two looks at a store that is ready

    private int $failures = 0;
    private ?Reason $last = null;

    /** Sleeps after a round that ended with that reason. */
    public function after(Reason $reason): void
    {
        usleep((int) ($this->seconds($reason) * 1e6));
    }

    private function seconds(Reason $reason): float
    {
        $this->failures = $reason === $this->last ? $this->failures + 1 : 0;
        $this->last = $reason;
        if ($reason === Reason::Ready) {
            return self::SETTLED;
        }
        // What another container is about to bring costs little to ask for.
        $longest = match ($reason) {
            Reason::DatabaseAway, Reason::PagesMissing => 1.0,
            default => self::LONGEST,
        };
        $seconds = min($longest, self::FIRST * 2 ** min($this->failures, 10));
        return $seconds * random_int(75, 125) / 100;
    }
}
