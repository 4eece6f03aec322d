<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** What a new site must be before the owner gets it: its title, its address, its first administrator. */
final class SiteFacts
{
    /** @return list<string> What is wrong. */
    public static function wrong(): array
    {
        $wrong = [];
        foreach (self::options() as $name => $wanted) {
            if (self::stored($name) !== $wanted) {
                $wrong[] = "option $name is not as asked";
            }
        }
        $problem = self::problemOfAdministrator();
        if ($problem !== null) {
            $wrong[] = $problem;
        }
        return $wrong;
    }

    /** @return list<string> What was wrong and has been repaired. */
    public static function repair(): array
    {
        $wrong = self::wrong();
        if (!$wrong) {
            return [];
        }
        foreach (self::options() as $name => $wanted) {
            self::store($name, $wanted);
        }
        if (self::problemOfAdministrator() !== null) {
            self::makeAdministrator();
        }
        return array_map(static fn (string $each): string => "repaired: $each", $wrong);
    }

    /**
     * Options as they are stored. WordPress keeps the title escaped for HTML, and its own escaping would leave a
     * typed "&amp;" as it is, which browsers then show as "&".
     *
     * @return array<string, string>
     */
    private static function options(): array
    {
        return [
            'blogname' => htmlspecialchars(Store::title(), ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML401, 'UTF-8', true),
            'siteurl' => Store::config('address'),
            'home' => Store::config('address'),
            'admin_email' => Store::adminEmail(),
        ];
    }

    private static function stored(string $name): ?string
    {
        global $wpdb;
        return Sql::value($wpdb, "SELECT option_value FROM $wpdb->options WHERE option_name = %s", $name);
    }

    /** Past update_option(), which changes what it is given. */
    private static function store(string $name, string $value): void
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

    private static function problemOfAdministrator(): ?string
    {
        $user = get_user_by('login', Store::ADMIN);
        return match (true) {
            !$user => 'the administrator is missing',
            !in_array('administrator', $user->roles, true) || !$user->has_cap('manage_options')
                => 'the administrator has no rights',
            $user->user_email !== Store::adminEmail() => 'the administrator has another e-mail address',
            !wp_check_password(Store::credential('admin-password'), $user->user_pass, $user->ID)
                => 'the administrator has another password than the Secret',
            default => null,
        };
    }

    private static function makeAdministrator(): void
    {
        if (!get_role('administrator')) {
            require_once ABSPATH . 'wp-admin/includes/schema.php';
            populate_roles();
        }
        $found = get_user_by('login', Store::ADMIN);
        $id = $found ? $found->ID : wp_create_user(Store::ADMIN, Store::credential('admin-password'), Store::adminEmail());
        if ($id instanceof \WP_Error) {
            throw new \RuntimeException('the administrator cannot be made: ' . $id->get_error_message());
        }
        wp_set_password(Store::credential('admin-password'), $id);
        self::storeEmail($id);
        (new \WP_User($id))->set_role('administrator');
    }

    private static function storeEmail(int $user): void
    {
        global $wpdb;
        Sql::run($wpdb, "UPDATE $wpdb->users SET user_email = %s WHERE ID = %s", Store::adminEmail(), (string) $user);
        clean_user_cache($user);
    }
}
