<?php

declare(strict_types=1);

namespace Urumi\Child;

/** The tasks by the names that the agent calls them by. */
final class Tasks
{
    public static function named(string $name): Task
    {
        return match ($name) {
            'look-at-database' => new LookAtDatabase(),
            'install-wordpress' => new InstallWordPress(),
            'activate-plugins' => new ActivatePlugins(),
            'finish-site' => new FinishSite(),
            'look-at-site' => new LookAtSite(),
            'mark-ready' => new MarkReady(),
            'do-as-asked' => new DoAsAsked(),
            'confirm-asked' => new ConfirmAsked(),
            'upgrade-wordpress' => new UpgradeWordPress(),
            'upgrade-shop' => new UpgradeShop(),
            default => throw new \InvalidArgumentException("no such task: $name"),
        };
    }
}
