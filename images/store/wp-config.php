<?php
/**
 * WordPress's configuration, from the files of the store's ConfigMap and Secret.
 *
 * The same for every store; nothing in it is secret. It loads in the web server and in the agent's children.
 */

(static function (): void {
    $read = static function (string $file): string {
        $content = @file_get_contents('/etc/urumi/' . $file);
        if ($content === false) {
            http_response_code(500);
            error_log("wp-config.php: /etc/urumi/$file cannot be read");
            exit(1);
        }
        return trim($content);
    };

    $address = $read('config/address');
    $secret = $read('credentials/wordpress-secret');
    $https = str_starts_with($address, 'https://');

    // The ingress ends TLS, and only the ingress may connect.
    if ($https && ($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') {
        $_SERVER['HTTPS'] = 'on';
    }

    $constants = [
        'DB_HOST' => $read('config/database-host'),
        'DB_NAME' => $read('config/database-name'),
        'DB_USER' => $read('config/database-user'),
        'DB_PASSWORD' => $read('credentials/database-password'),
        'DB_CHARSET' => 'utf8mb4',
        'DB_COLLATE' => '',

        // The platform's word, whatever stands in the database.
        'WP_HOME' => $address,
        'WP_SITEURL' => $address,
        'FORCE_SSL_ADMIN' => $https,

        // Packets to the outside are dropped. Without these each page of the admin waits 10 to 90 seconds.
        'WP_HTTP_BLOCK_EXTERNAL' => true,
        'WP_ACCESSIBLE_HOSTS' => str_replace("\n", ',', $read('config/accessible-hosts')),
        'AUTOMATIC_UPDATER_DISABLED' => true,
        'WP_AUTO_UPDATE_CORE' => false,

        // The agent calls wp-cron.php.
        'DISABLE_WP_CRON' => true,

        // Core belongs to root, so WordPress would ask the owner for FTP to write into wp-content.
        'FS_METHOD' => 'direct',
        'WP_TEMP_DIR' => '/tmp',
        'WP_DEBUG' => false,
    ];
    foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
        foreach (["{$name}_KEY", "{$name}_SALT"] as $key) {
            $constants[$key] = hash_hmac('sha256', $key, $secret);
        }
    }
    foreach ($constants as $name => $value) {
        defined($name) || define($name, $value);
    }
})();

$table_prefix = 'wp_';

require '/usr/local/lib/urumi/wordpress/database-away.php';
require '/usr/local/lib/urumi/wordpress/platform.php';

defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');

require_once ABSPATH . 'wp-settings.php';
