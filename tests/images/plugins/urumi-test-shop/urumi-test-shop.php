<?php
/**
 * Plugin Name: Urumi test shop
 * Description: Stands in for WooCommerce in tests: the names that the agent knows it by, and the habits that make it dangerous.
 * Version: 1.0.0
 */

declare(strict_types=1);

defined('ABSPATH') || exit;

require_once __DIR__ . '/includes/version.php';
require_once __DIR__ . '/includes/install.php';
require_once __DIR__ . '/includes/scheduler.php';
require_once __DIR__ . '/includes/pages.php';
require_once __DIR__ . '/includes/api.php';

register_activation_hook(__FILE__, ['WC_Install', 'install']);
add_action('init', ['WC_Install', 'check_version'], 5);
add_action('admin_init', ['WC_Install', 'newly_installed']);
