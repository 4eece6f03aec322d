<?php

declare(strict_types=1);

namespace Urumi\Agent;

/** What the platform is asked for at a store that is the owner's: another title, another password of the administrator. */
final class AsAsked
{
    private const DO = 60.0; // seconds
    private const LOOK = 60.0;

    /**
     * Whether all of it is done and a fresh child has seen it.
     *
     * @param array<string, mixed> $database
     */
    public static function isDone(array $database): bool
    {
        return $database['asked'] === []
            || (Child::run('do-as-asked', self::DO) !== null && Child::run('confirm-asked', self::LOOK) !== null);
    }
}
