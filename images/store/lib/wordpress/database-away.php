<?php
/**
 * While the database takes connections and does not answer, one request in ten seconds waits for it and the others
 * are turned away at once. Else a few shoppers would hold all workers, and the liveness probe with them.
 */

declare(strict_types=1);

PHP_SAPI === 'cli' || (static function (): void {
    $away = '/tmp/urumi-database-away';
    $every = 10; // seconds
    $long = 2; // seconds; what fails sooner holds nobody

    $asked = @filemtime($away);
    if ($asked !== false && time() - $asked < $every) {
        http_response_code(503);
        header('Content-Type: text/plain; charset=utf-8');
        header('Retry-After: 10');
        header('Cache-Control: no-store');
        exit("This shop is not available at the moment.\n");
    }
    if ($asked !== false) {
        touch($away); // this request asks
    }
    register_shutdown_function(static function () use ($away, $asked, $long): void {
        // A database class that somebody brings may not tell; must-use plugins load after the first answer.
        $loaded = function_exists('did_action') && did_action('muplugins_loaded');
        if ($loaded || ($GLOBALS['wpdb']->ready ?? false)) {
            $asked !== false && @unlink($away);
        } elseif (microtime(true) - $_SERVER['REQUEST_TIME_FLOAT'] > $long) {
            touch($away);
        }
    });
})();
