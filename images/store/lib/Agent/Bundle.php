<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Seed\Seeder;
use Urumi\Store;

/** The image's plugins and themes in wp-content. */
final class Bundle
{
    /** Brings what the web container has not brought yet, and waits for it while it does; the log says why not. */
    public static function isThere(): bool
    {
        try {
            (new Seeder(Store::BUNDLE, Store::CONTENT, Store::RECORDS))->run();
            return true;
        } catch (\RuntimeException $error) {
            Log::say($error->getMessage());
            return false;
        }
    }
}
