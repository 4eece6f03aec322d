<?php
/**
 * The platform's own filters.
 *
 * Filters that stand in $wp_filter before WordPress loads are taken over by it. Unlike a must-use plugin
 * they are not in wp-content, where they could be lost or changed.
 */

// Action Scheduler calls the site's own address from admin pages, which costs a second each time and
// fails. What is due runs by wp-cron, which the agent calls.
$wp_filter['action_scheduler_allow_async_request_runner'][10]['urumi'] = [
    'function' => '__return_false',
    'accepted_args' => 0,
];

// Before the first READY only the agent installs WooCommerce, in one process at a time: by itself each page and
// each child would, at once. The record is the agent's (Urumi\Installation).
if (!str_contains((string) @file_get_contents('/var/www/html/wp-content/.urumi/installation'), '"ready":true')) {
    $wp_filter['init'][4]['urumi'] = [
        'function' => static function (): void {
            remove_action('init', ['WC_Install', 'check_version'], 5);
        },
        'accepted_args' => 0,
    ];
}
