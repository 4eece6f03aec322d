<?php

declare(strict_types=1);

namespace Urumi\Login;

/**
 * The tokens that have opened the door: each does once.
 *
 * A table of our own, whose key decides between two at once: an import can lose the keys of WordPress's tables.
 */
final class Uses
{
    private const TABLE = 'urumi_login_links';
    private const KEPT = 3600; // seconds after the end: a request that was held up must not come after the row is gone

    private const CREATE = 'CREATE TABLE IF NOT EXISTS ' . self::TABLE
        . ' (id CHAR(36) NOT NULL PRIMARY KEY, expires_at BIGINT NOT NULL) ENGINE=InnoDB';

    /** Whether this is the token's first use; from then on it is not. */
    public static function isFirst(\wpdb $database, Token $token, int $now): bool
    {
        self::run($database, self::CREATE);
        $insert = 'INSERT IGNORE INTO ' . self::TABLE . ' (id, expires_at) VALUES (%s, %d)';
        $first = self::run($database, $database->prepare($insert, $token->id, $token->expires)) === 1;
        $delete = 'DELETE FROM ' . self::TABLE . ' WHERE expires_at < %d';
        self::run($database, $database->prepare($delete, $now - self::KEPT));
        return $first;
    }

    private static function run(\wpdb $database, string $statement): int
    {
        $rows = $database->query($statement);
        return $rows === false ? throw new Refused('the database refuses to take its id') : (int) $rows;
    }
}
