<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** A connection to the store's database without WordPress, with short limits of time. */
final class Database
{
    private const CONNECT = 3; // seconds
    private const ANSWER = 10; // seconds

    /** Raises mysqli_sql_exception. */
    public static function connect(): \mysqli
    {
        mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
        $connection = new \mysqli();
        $connection->options(MYSQLI_OPT_CONNECT_TIMEOUT, self::CONNECT);
        $connection->options(MYSQLI_OPT_READ_TIMEOUT, self::ANSWER);
        @$connection->real_connect(
            Store::config('database-host'),
            Store::config('database-user'),
            Store::credential('database-password'),
            Store::config('database-name'),
        );
        $connection->set_charset('utf8mb4');
        return $connection;
    }
}
