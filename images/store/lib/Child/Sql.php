<?php

declare(strict_types=1);

namespace Urumi\Child;

/** Statements over WordPress's connection that raise RuntimeException instead of returning false. */
final class Sql
{
    public static function run(\wpdb $database, string $statement, string ...$values): void
    {
        if ($database->query($values ? $database->prepare($statement, ...$values) : $statement) === false) {
            throw new \RuntimeException("the database refused a statement: $database->last_error");
        }
    }

    public static function value(\wpdb $database, string $statement, string ...$values): ?string
    {
        $database->last_error = '';
        $value = $database->get_var($values ? $database->prepare($statement, ...$values) : $statement);
        if ($database->last_error !== '') {
            throw new \RuntimeException("the database refused a statement: $database->last_error");
        }
        return $value;
    }

    /** @return list<string> All tables of the store's database. */
    public static function tables(\wpdb $database): array
    {
        return array_map('strval', $database->get_col('SHOW TABLES'));
    }
}
