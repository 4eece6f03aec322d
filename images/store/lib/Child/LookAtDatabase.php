<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** Reads what decides everything else, without loading WordPress or any tenant code. */
final class LookAtDatabase implements Task
{
    private const ACCESS_DENIED = [1044, 1045, 1698];
    private const WORK = [
        "SELECT 1 FROM wp_users WHERE user_login <> '" . Store::ADMIN . "' LIMIT 1",
        "SELECT 1 FROM wp_posts WHERE post_type IN ('product', 'shop_order', 'shop_order_placehold') LIMIT 1",
    ];

    public function constants(): ?array
    {
        return null;
    }

    public function run(): array
    {
        try {
            return $this->seen(Database::connect());
        } catch (\mysqli_sql_exception $error) {
            return [
                'reachable' => false,
                'refused' => in_array($error->getCode(), self::ACCESS_DENIED, true),
                'notes' => ["{$error->getCode()} {$error->getMessage()}"],
            ];
        }
    }

    /** @return array<string, mixed> */
    private function seen(\mysqli $database): array
    {
        $tables = array_column($database->query('SHOW TABLES')->fetch_all(), 0);
        $row = in_array(InstallationRow::TABLE, $tables, true)
            ? $database->query('SELECT id, ready_at IS NOT NULL AS ready FROM ' . InstallationRow::TABLE)->fetch_assoc()
            : null;
        $options = in_array('wp_options', $tables, true) ? $this->options($database) : [];
        $ready = (bool) ($row['ready'] ?? false);
        return [
            'reachable' => true,
            'tables' => count($tables),
            'installation' => $row['id'] ?? null,
            'ready' => $ready,
            'work' => !$ready && $this->hasWork($database),
            'broken' => $this->broken($database, isset($options['siteurl'])),
            'asked' => Asked::open($options),
            'db_version' => (int) ($options['db_version'] ?? 0),
            'code_db_version' => CoreTables::versionOfCode(),
        ];
    }

    /** @return array<string, string> */
    private function options(\mysqli $database): array
    {
        try {
            $found = $database->query(
                "SELECT option_name, option_value FROM wp_options WHERE option_name IN ('siteurl', 'db_version', '"
                    . Asked::TITLE . "', '" . Asked::ADDRESS . "', '" . Asked::NUMBER . "')",
            )->fetch_all();
            return array_column($found, 1, 0);
        } catch (\mysqli_sql_exception) {
            return []; // named by broken()
        }
    }

    /**
     * Whether somebody's work is in it: accounts beside the first administrator's, products, orders. Before the
     * first READY that is a dump that somebody loaded.
     */
    private function hasWork(\mysqli $database): bool
    {
        foreach (self::WORK as $question) {
            try {
                if ($database->query($question)->num_rows > 0) {
                    return true;
                }
            } catch (\mysqli_sql_exception) {
                continue; // no such table, or named by broken()
            }
        }
        return false;
    }

    /** @return list<string> Core tables that are missing or cannot be read, and the options without which nothing works. */
    private function broken(\mysqli $database, bool $siteurl): array
    {
        $broken = $siteurl ? [] : ['option siteurl'];
        foreach (CoreTables::NAMES as $table) {
            try {
                $database->query("SELECT 1 FROM $table LIMIT 1")->free();
            } catch (\mysqli_sql_exception $error) {
                if (!in_array($error->getCode(), [2006, 2013], true)) {
                    $broken[] = $table;
                    continue;
                }
                throw $error; // the server went away: nothing was learnt about the table
            }
        }
        return $broken;
    }
}
