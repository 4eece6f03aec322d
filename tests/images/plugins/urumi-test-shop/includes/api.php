<?php
/** A small Store API. */

declare(strict_types=1);

add_action('rest_api_init', static function (): void {
    $open = ['methods' => 'GET', 'permission_callback' => '__return_true'];
    register_rest_route('wc/store/v1', '/products', $open + ['callback' => static fn (): array => []]);
    register_rest_route('wc/store/v1', '/cart', $open + ['callback' => static fn (): array => ['items' => []]]);
});
