<?php
/** Shop pages, which answer 200 and show nothing while the shop is "coming soon". */

declare(strict_types=1);

add_shortcode('urumi_test_shop', static function (array $attributes): string {
    if (get_option('woocommerce_coming_soon') === 'yes') {
        return '<div class="woocommerce-coming-soon">Coming soon</div>';
    }
    return '<div class="urumi-test-' . esc_attr($attributes['page']) . '">Teapots</div>';
});
