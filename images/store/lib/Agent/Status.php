<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Files;
use Urumi\Store;

/** What `urumi-agent ready` tells: a file with the reason, and one that exists only while the store is ready. */
final class Status
{
    private ?Reason $shown = null;

    public function show(Reason $reason): void
    {
        if ($reason === $this->shown) {
            return;
        }
        if ($reason !== Reason::Ready) {
            Files::remove(Store::RUN . '/ready');
        }
        Files::write(Store::RUN . '/status', $reason->value . "\n");
        if ($reason === Reason::Ready) {
            Files::write(Store::RUN . '/ready', '');
        }
        if ($reason === Reason::Ready || $this->shown === Reason::Ready) {
            $this->wake();
        }
        Log::say($reason->value);
        $this->shown = $reason;
    }

    /** A word for the probe that waits; kept for the next one where none does. */
    private function wake(): void
    {
        $changed = @fopen(Store::RUN . '/changed', 'r+'); // never waits for a reader
        if ($changed !== false) {
            stream_set_blocking($changed, false);
            fwrite($changed, "\n");
            fclose($changed);
        }
    }
}
