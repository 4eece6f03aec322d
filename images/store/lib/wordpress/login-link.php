<?php
/**
 * One-click login: `GET /?urumi-login=TOKEN` opens wp-admin once for each token that the platform signs.
 *
 * What needs no database is checked before WordPress loads: whoever guesses costs little. The rest waits until
 * plugins have begun, because they listen to a login as after wp-login.php; nothing but the hook here answers.
 */

declare(strict_types=1);

require_once __DIR__ . '/../autoload.php';
foreach (['Answer', 'Door', 'Keys', 'Refused', 'Token', 'Uses'] as $urumi_class) {
    require __DIR__ . "/login/$urumi_class.php";
}

// For plugins that keep pages.
define('DONOTCACHEPAGE', true);

$urumi_token = Urumi\Login\Answer::unlessRefused(static fn (): Urumi\Login\Token => Urumi\Login\Token::read(
    $_SERVER['REQUEST_METHOD'] === 'GET' ? $_GET['urumi-login'] : throw new Urumi\Login\Refused('the request is no GET'),
    Urumi\Login\Keys::mounted(),
    Urumi\Store::config('store-id'),
    Urumi\Store::ADMIN,
    time(),
));

$wp_filter['wp_loaded'][PHP_INT_MIN]['urumi-login'] = [
    'function' => static function () use ($urumi_token): void {
        $user = Urumi\Login\Answer::unlessRefused(static fn (): WP_User => Urumi\Login\Door::open($urumi_token));
        Urumi\Login\Door::enter($user);
        Urumi\Login\Answer::admitted();
    },
    'accepted_args' => 0,
];
