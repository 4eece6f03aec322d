<?php

declare(strict_types=1);

namespace Urumi\Agent;

/** The agent's log: one line on standard error each. */
final class Log
{
    private static string $last = '';

    /** Says it, unless it was the last thing said. */
    public static function say(string $text): void
    {
        $line = substr(trim((string) preg_replace('/[\x00-\x1f\x7f\s]+/', ' ', $text)), 0, 1000);
        if ($line !== self::$last) {
            fwrite(STDERR, "urumi-agent: $line\n");
            self::$last = $line;
        }
    }
}
