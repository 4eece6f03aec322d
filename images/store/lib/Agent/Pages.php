<?php

declare(strict_types=1);

namespace Urumi\Agent;

use Urumi\Child\AdminPassword;
use Urumi\Store;

/** Whether the web container's pages answer as they should. */
final class Pages
{
    private const COMING_SOON = 'woocommerce-coming-soon';

    /**
     * What a new store needs before its first READY; null if all of it holds. Also fills OPcache.
     *
     * A status of 200 alone proves little: without permalinks each address answers 200 with the home page,
     * and so does every page of a shop that is "coming soon".
     */
    public static function problemOfNew(): ?string
    {
        $login = Web::ask('/wp-login.php');
        if ($login['status'] !== 200 || !str_contains($login['body'], 'user_login')) {
            return "the login page answers {$login['status']}";
        }
        $installer = Web::ask('/wp-admin/install.php?step=2');
        if ($installer['status'] !== 403) {
            return "the installer answers {$installer['status']}";
        }
        $home = Web::ask('/');
        if ($home['status'] !== 200 || str_contains($home['body'], self::COMING_SOON)) {
            return "the front page answers {$home['status']}" . ($home['status'] === 200 ? ', coming soon' : '');
        }
        return self::problemOfEntry();
    }

    /**
     * What a store needs after its first READY; null if it holds. An owner may have the front page answer
     * whatever they like - a maintenance page is a 503 - and must be able to log in and change that.
     */
    public static function problemOfOwned(): ?string
    {
        $login = Web::ask('/wp-login.php');
        if ($login['status'] === 0 || $login['status'] >= 500) {
            return "the login page answers {$login['status']}";
        }
        return Web::ask('/')['status'] === 0 ? 'the front page does not answer' : null;
    }

    /** Whether the Secret's password opens the door, tried at the door. */
    private static function problemOfEntry(): ?string
    {
        $answer = Web::ask('/wp-login.php', 10.0, [
            'log' => Store::ADMIN,
            'pwd' => AdminPassword::mounted()->text,
        ]);
        foreach ($answer['headers'] as $header) {
            if (stripos($header, 'Set-Cookie: wordpress_logged_in') === 0) {
                return null;
            }
        }
        return "the administrator's login answers {$answer['status']} without a session";
    }

    /**
     * What its shop needs besides.
     *
     * @param array<string, string> $shop Paths of the shop's pages by name; none without WooCommerce.
     */
    public static function problemOfShop(array $shop): ?string
    {
        foreach ($shop as $name => $path) {
            $page = Web::ask($path);
            if ($page['status'] !== 200 || str_contains($page['body'], self::COMING_SOON)) {
                return "the $name page answers {$page['status']}" . ($page['status'] === 200 ? ', coming soon' : '');
            }
        }
        if (!$shop) {
            return null;
        }
        $products = Web::ask('/wp-json/wc/store/v1/products?per_page=1&_fields=id');
        if ($products['status'] !== 200 || !is_array(json_decode($products['body'], true))) {
            return "the Store API's products answer {$products['status']}";
        }
        $cart = Web::ask('/wp-json/wc/store/v1/cart');
        $items = json_decode($cart['body'], true);
        return $cart['status'] === 200 && is_array($items) && isset($items['items'])
            ? null
            : "the Store API's cart answers {$cart['status']}";
    }
}
