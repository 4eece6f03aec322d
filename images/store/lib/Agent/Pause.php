<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Store;

/** How long to wait between two rounds: longer with each failure of the same kind, never in step with others. */
final class Pause
{
    private const FIRST = 0.2; // seconds
    private const LONGEST = 10.0;
    private const ABOUT_TO_COME = 1.0;
    private const SETTLED = 20.0; // between two looks at a store that is ready

    private const DATABASE_PORT = 3306;
    private const SLICE = 20_000; // microseconds

    private int $failures = 0;
    private ?Reason $last = null;

    /** Sleeps after a round that ended with that reason. */
    public function after(Reason $reason): void
    {
        $until = hrtime(true) + (int) ($this->seconds($reason) * 1e9);
        do {
            usleep(min(self::SLICE, max(0, intdiv($until - hrtime(true), 1000))));
        } while (hrtime(true) < $until && !($reason === Reason::DatabaseAway && self::databaseListens()));
    }

    /** How long to sleep after it, in seconds. */
    public function seconds(Reason $reason): float
    {
        $this->failures = $reason === $this->last ? $this->failures + 1 : 0;
        $this->last = $reason;
        $backOff = self::FIRST * 2 ** min($this->failures, 10);
        $seconds = match ($reason) {
            Reason::Ready => self::SETTLED,
            // What another container is about to bring costs little to ask for.
            Reason::DatabaseAway, Reason::PagesMissing => min(self::ABOUT_TO_COME, $backOff),
            default => min(self::LONGEST, $backOff),
        };
        return $seconds * random_int(75, 125) / 100;
    }

    /** Whether somebody listens at the database's address: costs far less than a look by a child. */
    private static function databaseListens(): bool
    {
        $connection = @fsockopen(Store::config('database-host'), self::DATABASE_PORT, timeout: 1.0);
        return $connection !== false && fclose($connection);
    }
}
