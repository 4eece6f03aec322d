<?php

declare(strict_types=1);

namespace Urumi\Child;

/** One repair at a time, across agents: a lock of the database that dies with the connection of its owner. */
final class Turn
{
    private const PATIENCE = '15'; // seconds; a killed owner's last statement may still run

    public static function take(\wpdb $database): void
    {
        if (Sql::value($database, 'SELECT GET_LOCK(%s, ' . self::PATIENCE . ')', 'urumi-agent') !== '1') {
            throw new \RuntimeException('another agent is at work on this database');
        }
    }
}
