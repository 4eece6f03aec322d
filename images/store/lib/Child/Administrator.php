<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** The account that the platform makes for the owner: as a new store's must be, and as a way back in. */
final class Administrator
{
    /** What is wrong with a new store's, or null. */
    public static function problem(): ?string
    {
        $user = self::found();
        return $user !== null && $user->user_email !== Store::adminEmail()
            ? 'the administrator has another e-mail address'
            : self::problemOfEntry();
    }

    /** Makes it as a new store's must be. */
    public static function make(): void
    {
        self::letIn();
        $user = self::found();
        self::storeEmail($user->ID);
        $user->set_role('administrator');
    }

    /** What keeps whoever has the platform's password out, or null. */
    public static function problemOfEntry(): ?string
    {
        $user = self::found();
        return match (true) {
            $user === null => 'the administrator is missing',
            !in_array('administrator', $user->roles, true) || !$user->has_cap('manage_options')
                => 'the administrator has no rights',
            !wp_check_password(AdminPassword::mounted()->text, $user->user_pass, $user->ID)
                => 'the administrator has another password than the Secret',
            default => null,
        };
    }

    /**
     * Makes the platform's password open the door, whatever became of the account, and ends its sessions. Nothing else of
     * it is changed: an e-mail address or another role is the owner's.
     */
    public static function letIn(): void
    {
        $password = AdminPassword::mounted()->text;
        if (!get_role('administrator')) {
            require_once ABSPATH . 'wp-admin/includes/schema.php';
            populate_roles();
        }
        $id = self::found()?->ID ?? self::made($password);
        wp_set_password($password, $id);
        $user = new \WP_User($id);
        if (!in_array('administrator', $user->roles, true)) {
            $user->add_role('administrator');
        }
        \WP_Session_Tokens::get_instance($id)->destroy_all();
    }

    private static function found(): ?\WP_User
    {
        return get_user_by('login', Store::ADMIN) ?: null;
    }

    private static function made(string $password): int
    {
        // Two accounts with one address are refused; this one does without.
        $email = email_exists(Store::adminEmail()) ? '' : Store::adminEmail();
        $id = wp_create_user(Store::ADMIN, $password, $email);
        if ($id instanceof \WP_Error) {
            throw new \RuntimeException('the administrator cannot be made: ' . $id->get_error_message());
        }
        $user = new \WP_User($id);
        $user->set_role('administrator');
        return $id;
    }

    private static function storeEmail(int $user): void
    {
        global $wpdb;
        Sql::run($wpdb, "UPDATE $wpdb->users SET user_email = %s WHERE ID = %s", Store::adminEmail(), (string) $user);
        clean_user_cache($user);
    }
}
