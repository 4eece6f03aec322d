<?php

declare(strict_types=1);

namespace Urumi\Child;

/** Runs WooCommerce's database upgrade to its end, if WooCommerce is there and active. */
final class UpgradeShop implements Task
{
    public function constants(): ?array
    {
        return ['WP_ADMIN' => true];
    }

    public function run(): array
    {
        global $wpdb;
        require_once ABSPATH . 'wp-admin/includes/admin.php';
        Quiet::keep();
        Turn::take($wpdb);
        if (!WooCommerce::present()) {
            return [];
        }
        WooCommerce::upgrade();
        $failed = WooCommerce::failedCallbacks();
        return ['notes' => $failed ? ["$failed callbacks of WooCommerce's database upgrades have failed"] : []];
    }
}
