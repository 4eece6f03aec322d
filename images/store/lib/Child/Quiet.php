<?php

declare(strict_types=1);

namespace Urumi\Child;

/**
 * WordPress without the outside world: requests are answered at once with an error, and mail is not tried.
 *
 * wp_install() asks its own address over HTTP, and where packets are dropped it waits 10 seconds for nothing.
 */
final class Quiet
{
    public static function keep(): void
    {
        add_filter('pre_http_request', static fn (): \WP_Error => new \WP_Error('urumi', 'The agent calls nobody.'));
        add_filter('pre_wp_mail', '__return_true');
    }
}
