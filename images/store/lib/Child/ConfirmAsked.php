<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** Looks, in a fresh process, whether what the platform was asked for is done, and only then remembers it as done. */
final class ConfirmAsked implements Task
{
    public function constants(): ?array
    {
        return ['WP_INSTALLING' => true];
    }

    public function run(): array
    {
        global $wpdb;
        Quiet::keep();
        Turn::take($wpdb);
        $open = Asked::stillOpen();
        if (in_array('title', $open, true) && Option::read('blogname') !== Asked::title()) {
            throw new \RuntimeException('the title is not as asked');
        }
        if (in_array('address', $open, true)) {
            foreach (Asked::OF_ADDRESS as $option) {
                Option::read($option) === Store::config('address')
                    || throw new \RuntimeException("the option $option is not the address");
            }
        }
        $problem = in_array('password', $open, true) ? Administrator::problemOfEntry() : null;
        if ($problem !== null) {
            throw new \RuntimeException($problem);
        }
        foreach (Asked::remembered($open) as $option => $value) {
            Option::write($option, $value);
        }
        return [];
    }
}
