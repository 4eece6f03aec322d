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

// wp_safe_remote_get() and its like look up the host's address before they ask whether it is blocked, and wait for a
// name server that may not answer. What is blocked is answered before that.
$wp_filter['pre_http_request'][10]['urumi'] = [
    'function' => static function (mixed $answer, array $options, string $address): mixed {
        return $answer === false && (new WP_Http())->block_request($address)
            ? new WP_Error('http_request_not_executed', "The platform blocks requests to $address.")
            : $answer;
    },
    'accepted_args' => 3,
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

// What the platform has to tell those who run the shop. The file changes while the web server runs.
$wp_filter['admin_notices'][10]['urumi'] = [
    'function' => static function (): void {
        $text = match (trim((string) @file_get_contents('/etc/urumi/config/notice'))) {
            'past-due' => __('The last payment for this shop did not go through.', 'urumi') . ' '
                . __('Please settle it; otherwise the shop will be paused.', 'urumi'),
            default => null,
        };
        if ($text !== null && current_user_can('manage_options')) {
            echo '<div class="notice notice-warning"><p>', esc_html($text), '</p></div>';
        }
    },
    'accepted_args' => 0,
];

// The owner comes in by a link of the platform's.
if (isset($_GET['urumi-login'])) {
    require __DIR__ . '/login-link.php';
}
