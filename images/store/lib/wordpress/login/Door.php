<?php

declare(strict_types=1);

namespace Urumi\Login;

use Urumi\Store;

/** Lets the administrator in who holds a token, as wp-login.php does for a password. */
final class Door
{
    /** The administrator, once for each token. Raises Refused. */
    public static function open(Token $token): \WP_User
    {
        global $wpdb;
        $user = get_user_by('login', Store::ADMIN);
        if (!$user) {
            throw new Refused('the user is gone');
        }
        if (!in_array('administrator', $user->roles, true) || !$user->has_cap('manage_options')) {
            throw new Refused('the user is no administrator any more');
        }
        if (!Uses::isFirst($wpdb, $token, time())) {
            throw new Refused('it has been used');
        }
        error_log("urumi-login: $user->user_login comes in by link $token->id");
        return $user;
    }

    /** Gives the browser a session, and tells plugins, one of which may ask for more first. */
    public static function enter(\WP_User $user): void
    {
        wp_set_auth_cookie($user->ID);
        do_action('wp_login', $user->user_login, $user);
    }
}
