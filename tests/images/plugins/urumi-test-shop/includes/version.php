<?php
/** The code's version: that of the plugin's header, or a newer one that a test has written beside it. */

declare(strict_types=1);

function WC(): object
{
    static $shop = null;
    return $shop ??= (object) ['version' => trim((string) @file_get_contents(dirname(__DIR__) . '/version') ?: '1.0.0')];
}
