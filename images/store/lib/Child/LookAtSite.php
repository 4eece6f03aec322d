<?php

declare(strict_types=1);

namespace Urumi\Child;

/** Reads, in a fresh process that changes nothing, whether every fact of a new store holds. */
final class LookAtSite implements Task
{
    public function constants(): ?array
    {
        return [];
    }

    public function run(): array
    {
        Quiet::keep();
        return [
            'site' => SiteFacts::wrong(),
            'plugins' => PluginFacts::wrong(),
            'shop' => FinishSite::wrong(),
            'pages' => WooCommerce::present() ? WooCommerce::pages() : [],
        ];
    }
}
