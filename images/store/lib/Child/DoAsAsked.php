<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** Does what the platform was asked for anew. That it returns proves nothing; ConfirmAsked looks. */
final class DoAsAsked implements Task
{
    public function constants(): ?array
    {
        // Under WP_INSTALLING no plugin loads: one that fails must not keep its owner out.
        return ['WP_INSTALLING' => true];
    }

    public function run(): array
    {
        global $wpdb;
        Quiet::keep();
        Turn::take($wpdb);
        $open = Asked::stillOpen();
        if (in_array('title', $open, true)) {
            Option::write('blogname', Asked::title());
        }
        if (in_array('address', $open, true)) {
            foreach (Asked::OF_ADDRESS as $option) {
                Option::write($option, Store::config('address'));
            }
        }
        if (in_array('password', $open, true)) {
            Administrator::letIn();
        }
        return ['notes' => array_map(static fn (string $each): string => "done as asked: $each", $open)];
    }
}
