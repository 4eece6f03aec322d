<?php

declare(strict_types=1);

namespace Urumi\Child;

use Urumi\Store;

/** The plugins that the store is made with, by their folder names: there, and active. */
final class PluginFacts
{
    /** @return list<string> What is wrong. */
    public static function wrong(): array
    {
        $wrong = [];
        foreach (self::files() as $name => $file) {
            if ($file === null) {
                $wrong[] = "the plugin $name is not in this image";
            } elseif (!is_plugin_active($file)) {
                $wrong[] = "the plugin $name is not active";
            }
        }
        return $wrong;
    }

    /** @return array<string, ?string> The main file of each, as WordPress names it. */
    public static function files(): array
    {
        require_once ABSPATH . 'wp-admin/includes/plugin.php';
        $files = [];
        foreach (Store::plugins() as $name) {
            $main = array_key_first(get_plugins("/$name"));
            $files[$name] = $main === null ? null : "$name/$main";
        }
        return $files;
    }
}
