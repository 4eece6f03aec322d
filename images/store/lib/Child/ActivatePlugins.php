<?php

declare(strict_types=1);

namespace Urumi\Child;

/** Switches on the plugins that the store is made with. That it returns proves nothing; LookAtSite looks. */
final class ActivatePlugins implements Task
{
    public function constants(): ?array
    {
        return ['WP_ADMIN' => true];
    }

    public function run(): array
    {
        global $wpdb;
        require_once ABSPATH . 'wp-admin/includes/admin.php';
        Quiet::keep();
        Turn::take($wpdb);
        WooCommerce::removeStaleLock();
        $notes = [];
        foreach (PluginFacts::files() as $name => $file) {
            $result = $file === null ? null : activate_plugin($file);
            if ($result instanceof \WP_Error) {
                $notes[] = "$name: " . $result->get_error_message();
            }
        }
        return ['notes' => $notes];
    }
}
