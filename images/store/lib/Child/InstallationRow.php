<?php

declare(strict_types=1);

namespace Urumi\Child;

/**
 * The record of this installation in the database; wp-content has the other one (Urumi\Installation).
 *
 * A table of its own: plugins that reset or move a site drop WordPress's tables and options.
 */
final class InstallationRow
{
    public const TABLE = 'urumi_installation';

    private const CREATE = 'CREATE TABLE IF NOT EXISTS ' . self::TABLE
        . ' (id CHAR(32) NOT NULL PRIMARY KEY, ready_at DATETIME NULL) ENGINE=InnoDB';

    /** Writes it after the last step of the installation. */
    public static function write(\wpdb $database, string $id): void
    {
        Sql::run($database, self::CREATE);
        Sql::run($database, 'REPLACE INTO ' . self::TABLE . ' (id) VALUES (%s)', $id);
    }

    public static function exists(\wpdb $database): bool
    {
        return Sql::value($database, 'SHOW TABLES LIKE %s', self::TABLE) !== null
            && Sql::value($database, 'SELECT id FROM ' . self::TABLE) !== null;
    }

    /** Takes it away before an installation is made anew. */
    public static function remove(\wpdb $database): void
    {
        Sql::run($database, 'DROP TABLE IF EXISTS ' . self::TABLE);
    }

    public static function markReady(\mysqli $database): void
    {
        $database->query('UPDATE ' . self::TABLE . ' SET ready_at = UTC_TIMESTAMP() WHERE ready_at IS NULL');
    }
}
