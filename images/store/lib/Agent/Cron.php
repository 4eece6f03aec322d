<?php

declare(strict_types=1);

namespace Urumi\Agent;

/** Calls wp-cron.php in the web container once a minute. Once asked, it runs on there without us. */
final class Cron
{
    private const PERIOD = 60; // seconds
    private const PATIENCE = 2.0; // seconds

    private ?int $last = null;

    public function callIfDue(): void
    {
        $now = intdiv(hrtime(true), 1_000_000_000);
        if ($this->last === null || $now - $this->last >= self::PERIOD) {
            $this->last = $now;
            Web::ask('/wp-cron.php', self::PATIENCE);
        }
    }
}
