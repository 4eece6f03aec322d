<?php
/**
 * Runs before every request's own script: answers the liveness probe before WordPress loads.
 *
 * That holds Apache and PHP to account and nothing else. A database that is slow or away must restart
 * no web server.
 */

declare(strict_types=1);

if (($_SERVER['HTTP_X_URUMI_PROBE'] ?? '') === 'liveness') {
    header('Content-Type: text/plain');
    header('Cache-Control: no-store');
    echo "alive\n";
    exit;
}
