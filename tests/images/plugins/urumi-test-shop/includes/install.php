<?php

declare(strict_types=1);

/** The installer, with WooCommerce's names and order of steps. */
final class WC_Install
{
    private const TABLES = ['shop_sessions', 'shop_orders', 'shop_order_items', 'shop_lookup'];
    private const LATE_TABLE = 'shop_orders_index';
    private const PAGES = ['shop', 'cart', 'checkout', 'myaccount'];
    private const LOCK = 'wc_installing';

    /** Takes a lock and says nothing if somebody has it, which a killed process does for ten minutes. */
    public static function install(): void
    {
        if (get_transient(self::LOCK) === 'yes' || (int) get_option(self::LOCK) > time() - 10 * MINUTE_IN_SECONDS) {
            return; // a transient in older versions, a row of its own in newer ones
        }
        update_option(self::LOCK, time(), false);
        $new = get_option('woocommerce_version') === false;
        self::create_tables();
        self::slowly();
        self::create_roles();
        self::slowly();
        self::create_pages();
        self::slowly();
        if ($new) {
            update_option('woocommerce_newly_installed', 'yes');
            update_option('woocommerce_db_version', WC()->version);
        }
        if (!wp_next_scheduled('action_scheduler_run_queue')) {
            wp_schedule_event(time(), 'hourly', 'action_scheduler_run_queue');
        }
        update_option('woocommerce_version', WC()->version); // before the callbacks are scheduled
        self::slowly();
        if (self::needs_db_update()) {
            Urumi_Test_Queue::schedule_update();
        }
        delete_option(self::LOCK);
    }

    /** What every page load does: an older version in the database starts the installer. */
    public static function check_version(): void
    {
        if (version_compare((string) get_option('woocommerce_version'), WC()->version, '<')) {
            self::install();
        }
    }

    /** The part that waits for the first administrator's first page: orders get their table, and the shop closes. */
    public static function newly_installed(): void
    {
        if (get_option('woocommerce_newly_installed') === 'yes') {
            self::create_table(self::LATE_TABLE);
            update_option('woocommerce_coming_soon', 'yes');
            update_option('woocommerce_store_pages_only', 'yes');
            update_option('woocommerce_newly_installed', 'no');
        }
    }

    public static function needs_db_update(): bool
    {
        $version = get_option('woocommerce_db_version');
        return $version !== false && version_compare($version, WC()->version, '<');
    }

    /** @return list<string> */
    public static function get_missing_base_tables(): array
    {
        global $wpdb;
        $found = $wpdb->get_col("SHOW TABLES LIKE '{$wpdb->prefix}shop\\_%'");
        return array_values(array_diff(array_map(static fn ($name) => $wpdb->prefix . $name, self::TABLES), $found));
    }

    private static function create_tables(): void
    {
        foreach (self::TABLES as $table) {
            self::create_table($table);
            self::slowly();
        }
        Urumi_Test_Queue::create_table();
    }

    private static function create_table(string $name): void
    {
        global $wpdb;
        $wpdb->query("CREATE TABLE IF NOT EXISTS {$wpdb->prefix}$name (id BIGINT PRIMARY KEY, what TEXT)");
    }

    private static function create_roles(): void
    {
        add_role('customer', 'Customer', ['read' => true]);
        add_role('shop_manager', 'Shop manager', ['read' => true, 'manage_woocommerce' => true]);
        get_role('administrator')->add_cap('manage_woocommerce');
    }

    private static function create_pages(): void
    {
        foreach (self::PAGES as $name) {
            $option = "woocommerce_{$name}_page_id";
            if (get_post_status((int) get_option($option)) !== 'publish') {
                $page = get_page_by_path($name) ?? null;
                $id = $page ? $page->ID : wp_insert_post([
                    'post_type' => 'page',
                    'post_status' => 'publish',
                    'post_title' => ucfirst($name),
                    'post_name' => $name,
                    'post_content' => "[urumi_test_shop page=$name]",
                ]);
                update_option($option, $id);
            }
        }
    }

    /** The real installer takes a second; a kill has to find it at work. */
    private static function slowly(): void
    {
        usleep(60_000);
    }
}
