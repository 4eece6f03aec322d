<?php

declare(strict_types=1);

namespace Urumi\Child;

/** One row of WordPress's options as it is stored, past get_option() and update_option(), which change what they give and take. */
final class Option
{
    public static function read(string $name): ?string
    {
        global $wpdb;
        return Sql::value($wpdb, "SELECT option_value FROM $wpdb->options WHERE option_name = %s", $name);
    }

    public static function write(string $name, string $value): void
    {
        global $wpdb;
        Sql::run(
            $wpdb,
            "INSERT INTO $wpdb->options (option_name, option_value, autoload) VALUES (%s, %s, 'yes')"
                . ' ON DUPLICATE KEY UPDATE option_value = VALUES(option_value)',
            $name,
            $value,
        );
        wp_cache_flush();
    }
}
