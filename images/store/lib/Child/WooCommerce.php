<?php

declare(strict_types=1);

namespace Urumi\Child;

/** What the agent knows of WooCommerce: when it is whole, and how it becomes so. */
final class WooCommerce
{
    private const PAGES = ['shop', 'cart', 'checkout', 'myaccount'];
    private const PROBED = ['shop', 'cart']; // checkout with an empty cart is a redirect
    private const INSTALLATION = 15; // seconds that one may take; it takes one or two
    private const CALLBACK = 'woocommerce_run_update_callback';
    private const LAST_CALLBACK = 'woocommerce_update_db_to_current_version';
    private const LOCK = [
        'wc_installing', '_transient_wc_installing', '_transient_timeout_wc_installing',
    ];

    public static function present(): bool
    {
        return class_exists('WC_Install');
    }

    /**
     * Before the first READY no web request installs, and the agent holds its turn: a lock that is there was left
     * by a child that was killed. While it stands, each installation returns at once as if it were done.
     */
    public static function removeStaleLock(): void
    {
        foreach (self::LOCK as $option) {
            delete_option($option);
        }
    }

    /** @return list<string> What a fresh process finds wrong with a new shop. */
    public static function wrong(): array
    {
        $wrong = [];
        if (!self::isInstalled()) {
            $wrong[] = 'WooCommerce is not installed to its end';
        }
        if (\WC_Install::needs_db_update()) {
            $wrong[] = 'WooCommerce waits for its database upgrade';
        }
        if (get_option('woocommerce_newly_installed') !== 'no') {
            $wrong[] = 'WooCommerce waits for its first administrator';
        }
        foreach (self::PAGES as $page) {
            if (get_post_status((int) get_option("woocommerce_{$page}_page_id")) !== 'publish') {
                $wrong[] = "WooCommerce has no $page page";
            }
        }
        if (!get_role('customer') || !get_role('shop_manager') || !get_role('administrator')?->has_cap('manage_woocommerce')) {
            $wrong[] = 'WooCommerce has no roles';
        }
        if (wp_next_scheduled('action_scheduler_run_queue') === false && !wp_next_scheduled('action_scheduler_run_queue', ['WP Cron'])) {
            $wrong[] = 'WooCommerce has no queue';
        }
        foreach (self::options() as $name => $wanted) {
            if (get_option($name) !== $wanted) {
                $wrong[] = "option $name is not $wanted";
            }
        }
        return $wrong;
    }

    /** Runs the installer again, which is written to be repeated, with the part that waits for an administrator. */
    public static function install(): void
    {
        if (!self::isInstalled()) {
            self::removeStaleLock();
            \WC_Install::install();
        }
        if (get_option('woocommerce_newly_installed') !== 'no') {
            \WC_Install::newly_installed();
        }
        self::upgrade();
        foreach (self::options() as $name => $wanted) {
            update_option($name, $wanted);
        }
    }

    /**
     * Runs WooCommerce's database upgrade to its end. Its callbacks are scheduled one second apart, and wp-cron
     * would take minutes over them.
     */
    public static function upgrade(): void
    {
        self::awaitLock();
        self::freeInterruptedCallbacks();
        if (get_option('woocommerce_version') !== \WC()->version || (self::needsUpgrade() && !self::isScheduled())) {
            // The version is raised before the callbacks are scheduled; a kill in between leaves none or some.
            \WC_Install::install();
        }
        while (self::needsUpgrade()) {
            \ActionScheduler_QueueRunner::instance()->run();
            if (self::needsUpgrade()) {
                if (!self::isScheduled()) {
                    throw new \RuntimeException('WooCommerce still needs an upgrade, and none is scheduled');
                }
                sleep(1);
            }
        }
        wp_cache_flush();
        if (get_option('woocommerce_version') !== \WC()->version) {
            throw new \RuntimeException('WooCommerce did not take the version of its code');
        }
    }

    /** How many callbacks of its upgrades have failed for good. */
    public static function failedCallbacks(): int
    {
        global $wpdb;
        $count = "SELECT COUNT(*) FROM {$wpdb->prefix}actionscheduler_actions WHERE hook = %s AND status = 'failed'";
        return (int) Sql::value($wpdb, $count, self::CALLBACK);
    }

    /**
     * Waits for an installation that a page has begun - each does, after an update - and takes away the lock of one
     * that was killed. While that stands, each installation returns at once as if it were done.
     */
    private static function awaitLock(): void
    {
        for ($waited = 0; self::isLocked(); $waited++) {
            if ($waited === self::INSTALLATION) {
                self::removeStaleLock();
                return;
            }
            sleep(1);
        }
    }

    private static function isLocked(): bool
    {
        wp_cache_flush();
        return get_option('wc_installing') !== false || get_option('_transient_wc_installing') !== false;
    }

    /**
     * A callback whose process was killed stays in progress: for five minutes it keeps all others waiting, and then
     * counts as failed and is never run again. Callbacks are written to be repeated.
     */
    private static function freeInterruptedCallbacks(): void
    {
        global $wpdb;
        Sql::run(
            $wpdb,
            "UPDATE {$wpdb->prefix}actionscheduler_actions SET status = 'pending', claim_id = 0"
                . " WHERE hook IN (%s, %s) AND status IN ('pending', 'in-progress')",
            self::CALLBACK,
            self::LAST_CALLBACK,
        );
        // Other actions that were interrupted, and so keep a claim, are no reason to wait either.
        add_filter('action_scheduler_queue_runner_concurrent_batches', static fn (): int => 10);
    }

    /** @return array<string, string> Paths of the pages that must answer, by name. */
    public static function pages(): array
    {
        $paths = [];
        foreach (self::PROBED as $page) {
            $address = (string) get_permalink((int) get_option("woocommerce_{$page}_page_id"));
            $paths[$page] = parse_url($address, PHP_URL_PATH) ?: '/';
        }
        return $paths;
    }

    private static function isInstalled(): bool
    {
        // get_tables() lists tables of features that are off, so it is not asked; this one is new in 11.0.
        $missing = method_exists('WC_Install', 'get_missing_base_tables') ? \WC_Install::get_missing_base_tables() : [];
        return !self::isLocked()
            && get_option('woocommerce_version') === \WC()->version
            && $missing === []
            && !get_option('woocommerce_schema_missing_tables');
    }

    private static function needsUpgrade(): bool
    {
        wp_cache_delete('woocommerce_db_version', 'options');
        wp_cache_delete('alloptions', 'options');
        return \WC_Install::needs_db_update();
    }

    /** Whether all of its callbacks are: this one is scheduled last. */
    private static function isScheduled(): bool
    {
        return as_next_scheduled_action(self::LAST_CALLBACK) !== false;
    }

    /** @return array<string, string> */
    private static function options(): array
    {
        return [
            // A new WooCommerce starts in a mode in which every page answers 200 and shows nothing.
            'woocommerce_coming_soon' => 'no',
            'woocommerce_store_pages_only' => 'no',
            'woocommerce_show_marketplace_suggestions' => 'no',
        ];
    }
}
