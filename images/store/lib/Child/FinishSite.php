<?php

declare(strict_types=1);

namespace Urumi\Child;

/** What comes after activation: permalinks, and the rest of WooCommerce's installation where it is there. */
final class FinishSite implements Task
{
    private const PERMALINKS = '/%postname%/';

    public function constants(): ?array
    {
        return ['WP_ADMIN' => true];
    }

    public function run(): array
    {
        global $wpdb, $wp_rewrite;
        require_once ABSPATH . 'wp-admin/includes/admin.php';
        Quiet::keep();
        Turn::take($wpdb);
        if (WooCommerce::present()) {
            WooCommerce::install();
        }
        $wp_rewrite->set_permalink_structure(self::PERMALINKS);
        flush_rewrite_rules(false);
        return [];
    }

    /** @return list<string> What is wrong. */
    public static function wrong(): array
    {
        // With plain permalinks every address answers 200 with the home page.
        $wrong = get_option('permalink_structure') === '' || !get_option('rewrite_rules') ? ['permalinks are off'] : [];
        return WooCommerce::present() ? [...$wrong, ...WooCommerce::wrong()] : $wrong;
    }
}
